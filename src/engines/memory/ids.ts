import { createHash } from 'node:crypto';
import type { Scope, Submission } from '../../core/submission/submission.ts';
import type { TaskId } from '../../ports/task-store.ts';

const slotChars = 22; // 132 bits

function slotOf(scope: Scope): string {
  const hash = createHash('sha256');
  for (const part of [scope.tenant, scope.queue, scope.key]) hash.update(`${part.length}:${part}`);
  return hash.digest('base64url').slice(0, slotChars);
}

export interface Minted {
  readonly submission: Submission;
  /** Number of the acceptance, from 1. */
  readonly order: number;
  /** The key had a task before. */
  readonly later: boolean;
  taken(id: TaskId): boolean;
}

/** As the embedded engine's: sequence and time. */
export function sequenceId({ submission, order }: Minted): TaskId {
  return `${order.toString(36)}.${submission.acceptedAtMs.toString(36)}`;
}

/** As the shared engine's: the key's slot and time, so that an id names where its task is kept. */
export function slotId({ submission, later, taken }: Minted): TaskId {
  const slot = slotOf(submission.scope);
  let t = submission.acceptedAtMs;
  // A clock that went back may bring a time again; an id never comes twice.
  while (taken(`${slot}.${t.toString(36)}`) || taken(`${slot}~${t.toString(36)}`)) t++;
  return `${slot}${later ? '~' : '.'}${t.toString(36)}`;
}
