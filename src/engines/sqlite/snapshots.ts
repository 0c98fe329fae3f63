import type { Snapshot, TaskId } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { addressOf } from './rows/ids.ts';
import type { InternedQueue } from './rows/interned-names.ts';
import { type Row, snapshotOf } from './rows/rows.ts';

type SnapshotContext = Pick<SqliteContext, 'sql' | 'names'>;

export function snapshotAt(context: SnapshotContext, seq: number): Snapshot | undefined {
  const row = context.sql.snapshot.get(seq) as unknown as Row | undefined;
  return row === undefined ? undefined : snapshotOf(row, context.names);
}

/**
 * Returns the task of a task id, or undefined. A row with the same row number but another time of acceptance is another
 * task.
 */
export function snapshotOfId(context: SnapshotContext, id: TaskId): Snapshot | undefined {
  const address = addressOf(id);
  if (address === undefined) return undefined;
  const snapshot = snapshotAt(context, address.seq);
  return snapshot?.id === id ? snapshot : undefined;
}

/** Returns the newest task of an idempotency key. */
export function snapshotOfKey(
  context: SnapshotContext,
  queue: InternedQueue,
  key: string,
): Snapshot | undefined {
  const row = context.sql.byKey.get(queue.id, key) as unknown as Row | undefined;
  return row === undefined ? undefined : snapshotOf(row, context.names);
}
