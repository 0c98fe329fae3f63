/** Reads the tasks of a run of `npm run lanes` from the store after the run. */
import { isEnded } from '../../../src/core/task/head.ts';
import type { Snapshot, TaskStore } from '../../../src/ports/task-store.ts';
import { queue, tenant } from './contract.ts';
import type { TaskRecord } from './judge.ts';
import type { Acknowledgement } from './process-messages.ts';

const readItems = 100;
const readsAtOnce = 4;

async function recordOf(store: TaskStore, snapshot: Snapshot): Promise<TaskRecord> {
  const { id, submission, laneSeq, head, tip } = snapshot;
  const whole = tip.length === head.version - 1;
  return {
    id,
    lane: submission.orderingKey ?? '',
    seq: laneSeq ?? Number.NaN,
    acceptedAtMs: submission.acceptedAtMs,
    endedAtMs: isEnded(head) ? head.endedAtMs : undefined,
    events: whole ? tip : await store.history(id, 1),
  };
}

/** Reads all acknowledged tasks. Throws if one of them does not exist. */
export async function readTasks(
  store: TaskStore,
  acknowledged: readonly Acknowledgement[],
  nowMs: number,
): Promise<TaskRecord[]> {
  const ids = [...new Set(acknowledged.map(({ id }) => id))];
  const records: TaskRecord[] = [];
  const read = async (part: readonly string[]): Promise<void> => {
    for (const [i, snapshot] of (await store.read(part, nowMs)).entries()) {
      if (snapshot === undefined) throw new Error(`task ${part[i]} was acknowledged but does not exist`);
      records.push(await recordOf(store, snapshot));
    }
  };
  for (let i = 0; i < ids.length; i += readItems * readsAtOnce) {
    const parts = Array.from({ length: readsAtOnce }, (_, n) =>
      ids.slice(i + n * readItems, i + (n + 1) * readItems),
    );
    await Promise.all(parts.filter((part) => part.length > 0).map(read));
  }
  return records;
}

/**
 * Returns the lanes that are not empty: a task still waits in them, or the step that dispatches the next task after one
 * has ended is not finished.
 */
export async function openLanes(store: TaskStore, lanes: readonly string[]): Promise<string[]> {
  const lowest = await Promise.all(lanes.map((orderingKey) => store.lowest({ tenant, queue, orderingKey })));
  return lanes.filter((_, i) => lowest[i] !== undefined);
}
