import { HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { duration, requireValid } from '../core/rules.ts';
import type { DeadReason } from '../core/task/event.ts';
import { errorText, isInstance, readProperty, textOf } from '../core/untrusted.ts';
import { type Duration, durationMs } from './duration.ts';

export { type Code, codes, HoldfastError, type Reason, reasons, type Violation } from '../core/errors.ts';

const retryWait = duration(0, limits.backoffMaxMs);
const snoozeWait = duration(0, limits.runAheadMs);

/**
 * The property that marks FatalError, RetryAfter and Snooze. It is a global symbol, so that these errors are also
 * recognised when the program has loaded two copies of this package.
 */
export const retryDirective: unique symbol = Symbol.for('holdfast.verdict') as never;

/**
 * Throw this in a handler to fail the task for good: it becomes dead at once, with reason `fatal`, however many
 * attempts it had left.
 */
export class FatalError extends Error {
  override readonly name: string = 'FatalError';

  get [retryDirective](): 'fatal' {
    return 'fatal';
  }
}

/**
 * Throw this in a handler to fail the attempt and choose the time of the next attempt. The failed attempt counts; after
 * the last attempt the task is dead.
 */
export class RetryAfter extends Error {
  override readonly name: string = 'RetryAfter';
  /** The wait before the next attempt, in milliseconds. */
  readonly afterMs: number;

  get [retryDirective](): 'retryAfter' {
    return 'retryAfter';
  }

  /**
   * @param after The wait before the next attempt, at most 30 days. No jitter is added.
   * @param cause The error that made the attempt fail; its message becomes the message of this error.
   * @throws HoldfastError INVALID_ARGUMENT if `after` is malformed or longer than 30 days.
   */
  constructor(after: Duration, cause?: unknown) {
    super(isInstance(cause, Error) ? errorText(cause).message : 'the handler requested a later retry', {
      cause,
    });
    this.afterMs = durationMs(after, 'RetryAfter');
    requireValid('RetryAfter', retryWait, this.afterMs);
  }
}

/** Throw this in a handler to run the task later. The snoozed attempt does not count. */
export class Snooze extends Error {
  override readonly name: string = 'Snooze';
  /** The wait before the task runs again, in milliseconds. */
  readonly afterMs: number;

  get [retryDirective](): 'snooze' {
    return 'snooze';
  }

  /**
   * @param after The wait before the task runs again, at most 365 days.
   * @throws HoldfastError INVALID_ARGUMENT if `after` is malformed or longer than 365 days.
   */
  constructor(after: Duration) {
    super('snoozed');
    this.afterMs = durationMs(after, 'Snooze');
    requireValid('Snooze', snoozeWait, this.afterMs);
  }
}

/**
 * The instruction that a handler gives by throwing FatalError, RetryAfter or Snooze. `invalid`: a RetryAfter or Snooze
 * whose wait was changed to a value that its constructor refuses.
 */
export type RetryDirective =
  | { readonly kind: 'fatal' }
  | { readonly kind: 'retryAfter' | 'snooze'; readonly afterMs: number }
  | { readonly kind: 'invalid'; readonly problem: string };

const waits = { retryAfter: retryWait, snooze: snoozeWait } as const;

/** Returns the retry instruction of a thrown value, or undefined if it is an ordinary error. Never throws. */
export function retryDirectiveOf(thrown: unknown): RetryDirective | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const kind = readProperty(thrown, retryDirective);
  if (kind === 'fatal') return { kind };
  if (kind !== 'retryAfter' && kind !== 'snooze') return undefined;
  const afterMs = readProperty(thrown, 'afterMs');
  const problem = typeof afterMs === 'number' ? waits[kind](afterMs) : `is ${textOf(afterMs, 100)}`;
  return problem === undefined
    ? { kind, afterMs: afterMs as number }
    : { kind: 'invalid', problem: `the wait of the thrown ${kind} ${problem}` };
}

/**
 * Thrown by `task.result()` if the task is dead or cancelled. `code` is FAILED_PRECONDITION; `reason` is TASK_DEAD or
 * TASK_CANCELLED.
 */
export class TaskFailedError extends HoldfastError {
  override readonly name: string = 'TaskFailedError';
  /** The final state of the task. */
  readonly state: 'dead' | 'cancelled';
  /** The number of attempts that were started. */
  readonly attempts: number;
  /** The message of the last error that a worker reported; empty if no attempt failed. */
  readonly lastError: string;
  /**
   * The reason why the task is dead: `attempts` (all attempts failed), `fatal` (a FatalError, or the input does not fit
   * the worker's contract), `deadline` or `lifetime`. Undefined if the task was cancelled.
   */
  readonly deadReason: DeadReason | undefined;

  constructor(
    taskId: string,
    state: 'dead' | 'cancelled',
    attempts: number,
    lastError: string,
    deadReason?: DeadReason,
  ) {
    const why = lastError === '' ? '' : `: ${lastError}`;
    const reason = deadReason === undefined ? '' : ` (reason: ${deadReason})`;
    const times = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
    const message =
      state === 'dead'
        ? `Task ${taskId} is dead${reason} after ${times}${why}`
        : `Task ${taskId} was cancelled${why}`;
    const help = `See what happened: holdfast show ${taskId} --history.`;
    super('FAILED_PRECONDITION', state === 'dead' ? 'TASK_DEAD' : 'TASK_CANCELLED', message, {
      taskId,
      help:
        state === 'dead' ? `${help} Once the cause is gone, run it again: holdfast redrive ${taskId}.` : help,
    });
    this.state = state;
    this.attempts = attempts;
    this.lastError = lastError;
    this.deadReason = deadReason;
  }
}

/** The reasons why an attempt is aborted; `AttemptAborted.kind` explains each. */
export type AbortKind = 'cancelled' | 'lease-lost' | 'timeout' | 'shutdown';

/** The value of `context.signal.reason` in a handler: the reason why the attempt should stop. */
export class AttemptAborted extends Error {
  override readonly name: string = 'AttemptAborted';
  /**
   * `cancelled`: the task was cancelled, or its deadline passed. `lease-lost`: another worker may have claimed the
   * task, and the result of this attempt is discarded. `timeout`: the attempt took longer than its timeout.
   * `shutdown`: this worker is draining and its drain timeout has passed; the task goes back to its queue. It is also
   * the kind of `context.stopping.reason`.
   */
  readonly kind: AbortKind;

  constructor(kind: AbortKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
