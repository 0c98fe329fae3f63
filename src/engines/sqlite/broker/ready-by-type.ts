import { priorities } from '../../../core/priority.ts';
import { readySinceMs } from '../../../core/task/ready-since.ts';
import type { ReadyGroup } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';
import type { InternedQueue } from '../rows/interned-names.ts';
import { type Row, snapshotOf } from '../rows/rows.ts';

/** How many ready tasks of one type and priority are counted. More would hold up the event loop. */
const mostCounted = 10_000;
/** How many types of one priority are returned. */
const mostTypes = 200;
/** How many of the tasks that were accepted first are read to find the one that has been ready for longest. */
const oldest = 3;

/** Returns the ready tasks of a queue by type and version, by reads of the index of ready tasks. */
export function readyByType(context: SqliteContext, queue: InternedQueue): readonly ReadyGroup[] {
  const groups = new Map<number, ReadyGroup>();
  for (const priority of priorities.keys()) {
    let taskType = 0;
    for (let types = 0; types < mostTypes; types++) {
      const next = context.sql.nextTaskType.get(queue.id, priority, taskType) as unknown as [number | null];
      if (next[0] === null) break;
      taskType = next[0];
      groups.set(taskType, groupOf(context, queue.id, priority, taskType, groups.get(taskType)));
    }
  }
  return [...groups.values()];
}

function groupOf(
  { sql, names }: SqliteContext,
  queue: number,
  priority: number,
  taskType: number,
  others: ReadyGroup | undefined,
): ReadyGroup {
  const [counted] = sql.countReady.get(queue, priority, taskType, mostCounted) as unknown as [number];
  const rows = sql.readyAfter.all(queue, priority, taskType, 0, oldest) as unknown as Row[];
  const since = rows.map((row) => readySinceMs(snapshotOf(row, names)));
  if (others?.readySinceMs !== undefined) since.push(others.readySinceMs);
  const { type, version: typeVersion } = names.taskTypeOf(taskType);
  const tasks = counted + (others?.tasks ?? 0);
  return { type, typeVersion, tasks, readySinceMs: since.length === 0 ? undefined : Math.min(...since) };
}
