import { asHoldfastError, type HoldfastError } from '../core/errors.ts';
import type { Snapshot, TaskId } from '../ports/task-store.ts';

export type ReadOne = Snapshot | HoldfastError | undefined;

/**
 * A batch of reads in which one damaged task spoils nothing for the others: such a batch is read again one by one, and the
 * damaged task is its own error (DATA_LOSS). Whatever else fails, fails the whole batch.
 */
export async function readEach(
  ids: readonly TaskId[],
  read: (ids: readonly TaskId[]) => Promise<readonly (Snapshot | undefined)[]>,
): Promise<readonly ReadOne[]> {
  if (ids.length === 0) return [];
  try {
    return await read(ids);
  } catch (thrown) {
    const error = asHoldfastError(thrown);
    if (error.code !== 'DATA_LOSS') throw error;
    if (ids.length === 1) return [error];
    return (await Promise.all(ids.map((id) => readEach([id], read)))).flat();
  }
}
