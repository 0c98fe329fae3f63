import { asHoldfastError, type HoldfastError } from '../core/errors.ts';
import type { Snapshot, TaskId } from '../ports/task-store.ts';

export type ReadResult = Snapshot | HoldfastError | undefined;

/**
 * Reads a batch of tasks so that one damaged task does not fail the others. If the batch fails with DATA_LOSS, each task is
 * read separately, and the result of a damaged task is its error. Any other error rejects the whole batch.
 */
export async function readEach(
  ids: readonly TaskId[],
  read: (ids: readonly TaskId[]) => Promise<readonly (Snapshot | undefined)[]>,
): Promise<readonly ReadResult[]> {
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
