import { asHoldfastError, HoldfastError } from '../core/errors.ts';
import type { ItemError } from '../core/messages.ts';
import type { Rejection } from '../core/task/command.ts';
import type { Snapshot } from '../ports/task-store.ts';
import type { ReportContext } from './service.ts';

/** The text of an id that an engine has made, whichever engine it is. */
const idForm = /^[\w-]+[-.~][0-9a-z]+$/;

export function notFound(id: string): HoldfastError {
  const isId = idForm.test(id);
  const message = isId ? `There is no task '${id}'.` : `'${id}' is no task id, so there is no such task.`;
  return new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', message, {
    taskId: id,
    help: isId
      ? `Check the id. ${deletedHelp}`
      : 'Give the id that `holdfast submit` and `holdfast list` print, such as 1-mwv2vufj.',
  });
}

/** Returns the error for an idempotency key that no task has, as far as the caller may know. */
export function keyNotFound({ queue, key }: { readonly queue: string; readonly key: string }): HoldfastError {
  const id = `${queue}/${key}`;
  return new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', `There is no task '${id}'.`, {
    taskId: id,
    help: `Check the queue and the key. ${deletedHelp}`,
  });
}

const deletedHelp =
  'Tasks are deleted after their retention; tasks of other tenants and forbidden queues are hidden.';

export function noHashChain(): HoldfastError {
  return new HoldfastError(
    'FAILED_PRECONDITION',
    'NOT_BUILT',
    'This store keeps no chain of hashes, so it cannot detect whether a history was changed.',
    { help: 'Only the aws engine keeps one. Read the history without verifying it.' },
  );
}

/**
 * Returns the error for a worker that may not settle this task or send heartbeats for it, or undefined if the worker may.
 */
export function reportRefusal(task: Snapshot, { tenant, refuse }: ReportContext): HoldfastError | undefined {
  const { scope } = task.submission;
  return scope.tenant === tenant ? refuse?.(scope.queue) : notFound(task.id);
}

/**
 * Returns the CONFLICT error for a command that ran out of tries, because other writers changed the task before each try
 * could write.
 */
export function contended(id: string): HoldfastError {
  return new HoldfastError('ABORTED', 'CONFLICT', `Task '${id}' kept changing while this was tried.`, {
    taskId: id,
    help: 'Try again.',
  });
}

/** Returns the error for a lease of the task's current claim that this claim did not give out. */
export function foreignLease(id: string): HoldfastError {
  return new HoldfastError(
    'INVALID_ARGUMENT',
    'BAD_FIELD',
    `No claim of task '${id}' has given out this lease.`,
    {
      taskId: id,
      help: 'Send the lease back exactly as the assignment had it.',
    },
  );
}

function precondition(
  reason:
    | 'TASK_ENDED'
    | 'NOT_DEAD'
    | 'EXPIRES_SOON'
    | 'HAND_OVER_PENDING'
    | 'LEASE_LOST'
    | 'OUTCOME_RECORDED'
    | 'NO_CANCEL_REQUESTED'
    | 'CONFLICT',
  message: string,
  id: string,
  help: string,
): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', reason, message, { taskId: id, help });
}

/** Converts the core's rejection of a command into the error that the caller gets. */
export function rejectionError(id: string, rejection: Rejection): HoldfastError {
  switch (rejection.why) {
    case 'ended':
      return precondition(
        'TASK_ENDED',
        `Task '${id}' has already ended: ${rejection.state}.`,
        id,
        rejection.state === 'dead'
          ? `To run it again: holdfast redrive ${id}`
          : `Its history says how it ended: holdfast show ${id} --history`,
      );
    case 'notDead':
      return precondition(
        'NOT_DEAD',
        `Task '${id}' is ${rejection.state}, not dead.`,
        id,
        rejection.state === 'succeeded' || rejection.state === 'cancelled'
          ? 'Only dead tasks can be redriven. To run the work once more, submit it under another key.'
          : `Only dead tasks can be redriven. To see why it has not ended: holdfast why ${id}`,
      );
    case 'expiresSoon':
      return precondition(
        'EXPIRES_SOON',
        `Task '${id}' expires in less than 24 h, too soon to be run again.`,
        id,
        'Submit the work anew under another key.',
      );
    case 'handOverPending':
      return precondition(
        'HAND_OVER_PENDING',
        `The lane of task '${id}' is being handed over to its next task.`,
        id,
        'Try again in a second.',
      );
    case 'outcomeRecorded':
      return precondition(
        'OUTCOME_RECORDED',
        `This lease of task '${id}' already recorded another outcome: ${rejection.recorded.kind}.`,
        id,
        'Keep the recorded outcome; settle each lease only once.',
      );
    case 'noCancelRequested':
      return precondition(
        'NO_CANCEL_REQUESTED',
        `No cancellation of task '${id}' was requested.`,
        id,
        'Settle with failed or fatal instead.',
      );
    case 'leaseLost':
      return precondition(
        'LEASE_LOST',
        `The lease of task '${id}' is over, and another attempt may be running.`,
        id,
        'Stop this attempt, and undo its effects that were not guarded by the fencing token.',
      );
    case 'scheduled':
    case 'leased':
    case 'notLowest':
    case 'nothingDue':
    case 'begun':
      return precondition(
        'CONFLICT',
        `Task '${id}' cannot do this now (${rejection.why}).`,
        id,
        'Read the task and decide again.',
      );
  }
}

export function itemError(thrown: unknown): ItemError {
  const { code, reason, message, help, taskId, retryAfterMs, violations } = asHoldfastError(thrown);
  return { code, reason, message, help, taskId, retryAfterMs, violations };
}
