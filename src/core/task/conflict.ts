import { HoldfastError } from '../errors.ts';
import { type Head, shownState } from './head.ts';

/**
 * Returns the error for a write that lost a race for a task; its message names the winner. `current` is the head
 * that the store found instead of the expected one, `cause` the error of the store.
 */
export function lostRace(taskId: string, current: Head, cause?: unknown): HoldfastError {
  const { worker, attempt, fencingToken, revision } = current;
  const won =
    current.state === 'running'
      ? `worker '${worker}' has it (attempt ${attempt}, fencing token ${fencingToken})`
      : `it is ${shownState(current)} by now (revision ${revision})`;
  return new HoldfastError('ABORTED', 'CONFLICT', `Another write of task '${taskId}' came first: ${won}.`, {
    taskId,
    cause,
    help: 'Read the task and decide again.',
  });
}
