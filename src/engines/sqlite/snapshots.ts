import type { Snapshot, TaskId } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { placeOf } from './rows/ids.ts';
import type { QueueName } from './rows/interned-names.ts';
import { type Row, snapshotOf } from './rows/rows.ts';

type Context = Pick<SqliteContext, 'sql' | 'names'>;

export function snapshotAt(context: Context, seq: number): Snapshot | undefined {
  const row = context.sql.snapshot.get(seq) as unknown as Row | undefined;
  return row === undefined ? undefined : snapshotOf(row, context.names);
}

/** By its id: another acceptance in the same place is none. */
export function snapshotBy(context: Context, id: TaskId): Snapshot | undefined {
  const place = placeOf(id);
  if (place === undefined) return undefined;
  const snapshot = snapshotAt(context, place.seq);
  return snapshot?.id === id ? snapshot : undefined;
}

/** The newest generation of a key. */
export function snapshotOfKey(context: Context, queue: QueueName, key: string): Snapshot | undefined {
  const row = context.sql.byKey.get(queue.id, key) as unknown as Row | undefined;
  return row === undefined ? undefined : snapshotOf(row, context.names);
}
