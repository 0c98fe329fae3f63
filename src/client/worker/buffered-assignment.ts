import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Handler } from '../contract/handler.ts';
import type { AssignmentOrigin } from './streams/work-connection.ts';

/** An assigned task that waits in the worker for a free slot. */
export interface BufferedAssignment {
  readonly assignment: Assignment;
  readonly handler: Handler;
  /** The number of the assignment in the order of arrival. */
  readonly seq: number;
  readonly receivedAtMs: number;
  /** The connection that brought the task: by it the worker reports that the task begins. */
  readonly origin: AssignmentOrigin;
}

/**
 * Returns the time on the monotonic clock from which on the handler of a task must not be called: 5 s after the worker
 * received it (60 s if it must run alone), so that it does not miss a faster worker, or its deadline. The task is given
 * back then.
 */
export function giveBackAtMs({ assignment, receivedAtMs }: BufferedAssignment): number {
  const { alone, deadlineInMs } = assignment;
  const keptMs = alone ? timing.aloneStartMs : timing.prefetchStartMs;
  return receivedAtMs + (deadlineInMs === 0 ? keptMs : Math.min(keptMs, deadlineInMs));
}
