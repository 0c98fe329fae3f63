import { HoldfastError, invalid } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { DeadReason } from '../core/task/event.ts';
import { type Duration, durationMs } from './duration.ts';

export { type Code, codes, HoldfastError, type Reason, reasons, type Violation } from '../core/errors.ts';

/** How a thrown value is told from others, also where this package was loaded twice. */
export const verdict: unique symbol = Symbol.for('holdfast.verdict') as never;

/** Thrown by a handler: trying again is useless. The task is dead at once, whatever attempts it had left. */
export class FatalError extends Error {
  override readonly name: string = 'FatalError';

  get [verdict](): 'fatal' {
    return 'fatal';
  }
}

/** Thrown by a handler: failed, try again after exactly so long (at most 30 days). Uses an attempt. */
export class RetryAfter extends Error {
  override readonly name: string = 'RetryAfter';
  readonly afterMs: number;

  get [verdict](): 'retryAfter' {
    return 'retryAfter';
  }

  /** @param cause What went wrong; its message is kept. */
  constructor(after: Duration, cause?: unknown) {
    super(cause instanceof Error ? cause.message : 'asked to be tried again later', { cause });
    this.afterMs = atMost(durationMs(after, 'RetryAfter'), limits.backoffMaxMs, 'RetryAfter');
  }
}

/** Thrown by a handler: not now, again after so long (at most 365 days). Uses no attempt. */
export class Snooze extends Error {
  override readonly name: string = 'Snooze';
  readonly afterMs: number;

  get [verdict](): 'snooze' {
    return 'snooze';
  }

  constructor(after: Duration) {
    super('snoozed');
    this.afterMs = atMost(durationMs(after, 'Snooze'), limits.runAheadMs, 'Snooze');
  }
}

export type Verdict =
  | { readonly kind: 'fatal' }
  | { readonly kind: 'retryAfter' | 'snooze'; readonly afterMs: number };

/** What a handler said by what it threw; undefined: an ordinary failure. */
export function verdictOf(thrown: unknown): Verdict | undefined {
  if (typeof thrown !== 'object' || thrown === null || !(verdict in thrown)) return undefined;
  const { [verdict]: kind, afterMs } = thrown as { [verdict]: Verdict['kind']; afterMs: number };
  return kind === 'fatal' ? { kind } : { kind, afterMs };
}

function atMost(ms: number, mostMs: number, field: string): number {
  if (ms <= mostMs) return ms;
  throw invalid([{ field, description: `is ${ms} ms; at most ${mostMs.toLocaleString('en')}` }]);
}

/** `result()` of a task that ended without one. `code` is FAILED_PRECONDITION, `reason` TASK_DEAD or TASK_CANCELLED. */
export class TaskFailedError extends HoldfastError {
  override readonly name: string = 'TaskFailedError';
  readonly state: 'dead' | 'cancelled';
  /** Attempts begun, the last one included. */
  readonly attempts: number;
  /** The last error's message, as the worker told it; empty where no attempt failed. */
  readonly lastError: string;
  /**
   * Why it is dead: `attempts` (all failed), `fatal` (the handler said so, or the contract did not fit), `deadline`,
   * `lifetime`. Undefined: cancelled.
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
    const told =
      state === 'dead'
        ? `Task ${taskId} is dead${reason} after ${times}${why}`
        : `Task ${taskId} was cancelled${why}`;
    const help = `See what happened: holdfast show ${taskId} --history.`;
    super('FAILED_PRECONDITION', state === 'dead' ? 'TASK_DEAD' : 'TASK_CANCELLED', told, {
      taskId,
      help:
        state === 'dead' ? `${help} Once the cause is gone, run it again: holdfast retry ${taskId}.` : help,
    });
    this.state = state;
    this.attempts = attempts;
    this.lastError = lastError;
    this.deadReason = deadReason;
  }
}

export type AbortKind = 'cancelled' | 'lease-lost' | 'timeout' | 'shutdown';

/** What `ctx.signal.reason` is: why the attempt should stop. */
export class AttemptAborted extends Error {
  override readonly name: string = 'AttemptAborted';
  /**
   * `cancelled`: the task was cancelled or its deadline passed. `lease-lost`: another worker may have it now, and
   * nothing that this attempt says counts. `timeout`: the attempt's time is over. `shutdown`: this worker stops.
   */
  readonly kind: AbortKind;

  constructor(kind: AbortKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
