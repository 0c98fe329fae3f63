import type { Snapshot, TaskId } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';
import { damagedTask } from '../file/failures.ts';
import { snapshotOfId } from '../snapshots.ts';
import { bytesChecksum } from './checksums.ts';
import type { RowAddress } from './ids.ts';

/** Returns the size in bytes of the result that a task's newest event says it has. */
export function resultBytesOf({ tip }: Snapshot): number {
  const last = tip.at(-1);
  return last?.kind === 'succeeded' ? last.resultBytes : 0;
}

/**
 * Returns the result of a task, or undefined if it has none. Throws STORE_CORRUPT if the result is damaged, or missing
 * although the task has one.
 */
export function resultOf(
  context: SqliteContext,
  id: TaskId,
  { seq, acceptedAtMs }: RowAddress,
  nowMs: number,
): Uint8Array | undefined {
  const row = context.sql.result.get(seq, acceptedAtMs, nowMs) as unknown as
    | [result: Uint8Array, sum: number | null]
    | undefined;
  if (row !== undefined) {
    const [result, sum] = row;
    if (sum !== null && sum !== bytesChecksum(seq, result)) throw damagedTask(id);
    return result;
  }
  const snapshot = snapshotOfId(context, id);
  const isMissing =
    snapshot !== undefined && snapshot.submission.expiresAtMs > nowMs && resultBytesOf(snapshot) > 0;
  if (isMissing) throw damagedTask(id);
  return undefined;
}
