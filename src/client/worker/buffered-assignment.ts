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
