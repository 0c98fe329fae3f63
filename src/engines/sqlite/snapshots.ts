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

/** Returns the newest task of an idempotency key, if its key is in the index `task_key`. */
function snapshotOfIndexedKey(
  context: SnapshotContext,
  queue: InternedQueue,
  key: string,
): Snapshot | undefined {
  const row = context.sql.byKey.get(queue.id, key) as unknown as Row | undefined;
  return row === undefined ? undefined : snapshotOf(row, context.names);
}

/** Returns the newest task of an idempotency key, if the key is hashed. Another key may have the same hash. */
export function snapshotOfHashedKey(
  context: SnapshotContext & Pick<SqliteContext, 'keys'>,
  queue: InternedQueue,
  key: string,
): Snapshot | undefined {
  const seq = context.keys.mayHave(queue.id, key) ? context.keys.find(queue.id, key) : undefined;
  const snapshot = seq === undefined ? undefined : snapshotAt(context, seq);
  if (snapshot === undefined) return undefined;
  const { scope } = snapshot.submission;
  return scope.key === key && scope.queue === queue.queue && scope.tenant === queue.tenant
    ? snapshot
    : undefined;
}

/** Returns the newest task of an idempotency key. */
export function snapshotOfKey(
  context: SnapshotContext & Pick<SqliteContext, 'keys'>,
  queue: InternedQueue,
  key: string,
): Snapshot | undefined {
  return snapshotOfHashedKey(context, queue, key) ?? snapshotOfIndexedKey(context, queue, key);
}
