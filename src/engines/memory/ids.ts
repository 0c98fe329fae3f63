import { createHash } from 'node:crypto';
import type { Scope, Submission } from '../../core/submission/submission.ts';
import type { TaskId } from '../../ports/task-store.ts';

const slotChars = 22; // 132 bits

function slotOf(scope: Scope): string {
  const hash = createHash('sha256');
  for (const part of [scope.tenant, scope.queue, scope.key]) hash.update(`${part.length}:${part}`);
  return hash.digest('base64url').slice(0, slotChars);
}

/** The values from which the id of a new task is made. */
export interface IdRequest {
  readonly submission: Submission;
  /** The sequence number of the new task among all accepted tasks, from 1. */
  readonly order: number;
  /** True if an earlier task had the same idempotency key. */
  readonly hasEarlierTask: boolean;
  isTaken(id: TaskId): boolean;
}

/** Returns a task id as the embedded engine makes it: the task's sequence number and the time of its acceptance. */
export function sequenceId({ submission, order }: IdRequest): TaskId {
  return `${order.toString(36)}.${submission.acceptedAtMs.toString(36)}`;
}

/**
 * Returns a task id as the AWS engine makes it: the slot (a hash of tenant, queue and idempotency key) and the time of
 * the task's acceptance, so that the id says where the task is stored.
 */
export function slotId({ submission, hasEarlierTask, isTaken }: IdRequest): TaskId {
  const slot = slotOf(submission.scope);
  let t = submission.acceptedAtMs;
  // After the clock went back, two tasks may have the same acceptance time, but a task id must be unique.
  while (isTaken(`${slot}.${t.toString(36)}`) || isTaken(`${slot}~${t.toString(36)}`)) t++;
  return `${slot}${hasEarlierTask ? '~' : '.'}${t.toString(36)}`;
}
