import { decodeEvents, splitEvents } from '../../../core/codec/event.ts';
import type { TaskEvent } from '../../../core/task/event.ts';
import type { Snapshot, Transition } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';

/** At each so many events the older ones leave the row, so that a long life does not make each change dearer. */
const gathered = 128;
/** The newest stay, so that a repeat of a settlement is still told from them. */
const kept = 16;

function isFull({ head, events }: Transition): boolean {
  return Math.floor(head.version / gathered) > Math.floor((head.version - events.length) / gathered);
}

/** Within the transaction that wrote the change. */
export function moveOut(context: SqliteContext, seq: number, change: Transition): void {
  if (!isFull(change)) return;
  const row = context.sql.events.get(seq) as unknown as [Uint8Array] | undefined;
  const { older, newest } = splitEvents(row?.[0] ?? new Uint8Array(0), kept);
  if (older.length === 0) return;
  context.sql.insertArchived.run(seq, change.head.version - kept, older);
  context.sql.setEvents.run(newest, seq);
  context.stats.rowsWritten += 2;
}

/** Every event after so many: those that left the row, then the row's own. */
export function eventsAfter(
  context: SqliteContext,
  seq: number,
  { submission, head, tip }: Snapshot,
  version: number,
): readonly TaskEvent[] {
  const before = head.version - tip.length;
  if (version >= before) return tip.slice(version - before);
  const events: TaskEvent[] = version < 1 ? [submission.submitted] : [];
  const rows = context.sql.archived.all(seq, version) as unknown as [number, Uint8Array][];
  for (const [last, bytes] of rows) {
    const some = decodeEvents(bytes);
    const first = last - some.length + 1;
    events.push(...some.slice(Math.max(0, version + 1 - first)));
  }
  return [...events, ...tip];
}
