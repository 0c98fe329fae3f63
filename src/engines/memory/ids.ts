import { createHash } from 'node:crypto';
import type { Scope, Submission } from '../../core/submission/submission.ts';
import type { TaskId } from '../../ports/task-store.ts';

const slotChars = 22; // 132 bits

function slotOf(scope: Scope): string {
  const hash = createHash('sha256');
  for (const part of [scope.tenant, scope.queue, scope.key]) hash.update(`${part.length}:${part}`);
  return hash.digest('base64url').slice(0, slotChars);
}

/** The facts from which the id of a new task is made. */
export interface IdRequest {
  readonly submission: Submission;
  /** The number of the acceptance, from 1. */
  readonly order: number;
  /** True if the idempotency key had a task before. */
  readonly hasEarlierTask: boolean;
  isTaken(id: TaskId): boolean;
}

/** Returns an id like those of the embedded engine: the sequence number and the time of the acceptance. */
export function sequenceId({ submission, order }: IdRequest): TaskId {
  return `${order.toString(36)}.${submission.acceptedAtMs.toString(36)}`;
}

/** Returns an id like those of the AWS engine: the key's slot and the time, so that the id names the task's place. */
export function slotId({ submission, hasEarlierTask, isTaken }: IdRequest): TaskId {
  const slot = slotOf(submission.scope);
  let t = submission.acceptedAtMs;
  // The time may repeat after the clock went back, but an id must be unique.
  while (isTaken(`${slot}.${t.toString(36)}`) || isTaken(`${slot}~${t.toString(36)}`)) t++;
  return `${slot}${hasEarlierTask ? '~' : '.'}${t.toString(36)}`;
}
