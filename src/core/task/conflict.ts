import { HoldfastError } from '../errors.ts';
import { type Head, shownState } from './head.ts';

/**
 * What the loser of a race for a task is told: who won it. `stood` is the head that the refused write found, `cause`
 * what the store refused it with.
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
