import { decodeEvents, splitEvents } from '../../../core/codec/event.ts';
import type { TaskEvent } from '../../../core/task/event.ts';
import type { Snapshot, Transition } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';
import { damagedTask } from '../file/failures.ts';
import { bytesChecksum, eventsChecksum } from './checksums.ts';

/**
 * After every 128 events of a task, its older events move to the table `archived_event`, because each change rewrites
 * the task's whole row.
 */
const archiveEvery = 128;
/** The number of a task's newest events that stay in its row: they show whether a settlement is a repeat. */
const keptEvents = 16;

function crossesBoundary({ head, events }: Transition): boolean {
  return Math.floor(head.version / archiveEvery) > Math.floor((head.version - events.length) / archiveEvery);
}

/**
 * Archives the older events of a task if `change` made the number of the task's events cross a multiple of 128. Runs in
 * the transaction of the change.
 */
export function archiveOlder(context: SqliteContext, seq: number, change: Transition): void {
  if (!crossesBoundary(change)) return;
  const row = context.sql.events.get(seq) as unknown as [Uint8Array] | undefined;
  const { older, newest } = splitEvents(row?.[0] ?? new Uint8Array(0), keptEvents);
  if (older.length === 0) return;
  const last = change.head.version - keptEvents;
  context.sql.insertArchived.run(seq, last, older, bytesChecksum(seq, older));
  context.sql.setEvents.run(newest, eventsChecksum(newest).sum, seq);
  context.stats.rowsWritten += 2;
}

/**
 * Returns the events of a task after `version`: first the archived events, then the events in the task's row. Throws
 * STORE_CORRUPT if archived events are damaged or missing.
 */
export function eventsAfter(
  context: SqliteContext,
  seq: number,
  { id, submission, head, tip }: Snapshot,
  version: number,
): readonly TaskEvent[] {
  const before = head.version - tip.length;
  if (version >= before) return tip.slice(version - before);
  const events: TaskEvent[] = version < 1 ? [submission.submitted] : [];
  const rows = context.sql.archived.all(seq, version) as unknown as [number, Uint8Array, number | null][];
  let known = Math.max(1, version);
  for (const [last, bytes, sum] of rows) {
    if (sum !== null && sum !== bytesChecksum(seq, bytes)) throw damagedTask(id);
    const archived = decodeEvents(bytes);
    const first = last - archived.length + 1;
    if (first > known + 1) throw damagedTask(id);
    events.push(...archived.slice(known + 1 - first));
    known = last;
  }
  if (known !== before) throw damagedTask(id);
  return [...events, ...tip];
}
