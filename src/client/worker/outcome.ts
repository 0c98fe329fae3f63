/** Converts the end of an attempt (a result, an error, an abort) to the outcome that its settlement reports. */
import { clipBytes } from '../../core/clip.ts';
import { encodePayload } from '../../core/codec/payload.ts';
import { limits } from '../../core/limits.ts';
import type { ItemError, OutcomeKind } from '../../core/messages.ts';
import { errorText, isInstance, textOf } from '../../core/untrusted.ts';
import { toPayload } from '../contract/json.ts';
import type { TaskType } from '../contract/task.ts';
import { check, formatViolations } from '../contract/validate.ts';
import { type Duration, durationMs } from '../duration.ts';
import { AttemptAborted, retryDirectiveOf } from '../errors.ts';
import { ContractMismatch } from './input.ts';

/** The outcome of an attempt as a settlement carries it. */
export interface AttemptOutcome {
  readonly outcome: OutcomeKind;
  readonly result: Uint8Array | undefined;
  readonly message: string;
  readonly errorType: string;
  /** The wait before the next attempt in milliseconds; undefined if the retry policy decides. */
  readonly afterMs: number | undefined;
  /** For the outcome `released`: true if the handler had been called. */
  readonly begun: boolean;
}

const emptyOutcome: AttemptOutcome = {
  outcome: 'succeeded',
  result: undefined,
  message: '',
  errorType: '',
  afterMs: undefined,
  begun: true,
};

/** The outcome of a success without a result. */
export const succeededWithoutResult: AttemptOutcome = Object.freeze({ ...emptyOutcome });
/** The outcome that gives a running task back to its queue without counting the attempt, because the worker stops. */
export const released: AttemptOutcome = Object.freeze({ ...emptyOutcome, outcome: 'released' });
/** The outcome that gives a task back to its queue whose handler was not called. */
export const returned: AttemptOutcome = Object.freeze({ ...released, begun: false });

/** Returns the outcome of an attempt whose own process ended; `how` says how. */
export function lost(how: string): AttemptOutcome {
  return { ...emptyOutcome, outcome: 'lost', message: how };
}

/** Thrown if the handler returned a value that the contract's output does not allow. */
class BadResult extends Error {
  override readonly name: string = 'BadResult';
}

/**
 * Returns the outcome of a handler that returned. The result is sent as the handler returned it; the reader of the
 * result applies the schema's transformations. Throws if the result does not fit the output schema or JSON cannot
 * carry it.
 */
export function resultOf(task: TaskType, value: unknown): AttemptOutcome | Promise<AttemptOutcome> {
  if (task.output === undefined) return succeededWithoutResult;
  const checked = check(task.output, value);
  const pack = (result: Awaited<typeof checked>): AttemptOutcome => {
    if (!result.ok) {
      const violations = formatViolations(result.violations);
      throw new BadResult(
        `The handler of '${task.name}' returned what its contract's output does not allow: ${violations}`,
      );
    }
    const payload = toPayload(value, `The result of the handler of '${task.name}'`, limits.resultBytes);
    return { ...emptyOutcome, result: payload.contentType === '' ? undefined : encodePayload(payload) };
  };
  return checked instanceof Promise ? checked.then(pack) : pack(checked);
}

interface ThrownDescription {
  readonly message: string;
  readonly errorType: string;
}

/**
 * Returns the message and the type name of a thrown value within the limits of a stored error. The value need not be an
 * Error, and nothing that it does when it is read makes this function throw.
 */
export function describeThrown(thrown: unknown): ThrownDescription {
  if (isInstance(thrown, Error)) {
    const { message, name } = errorText(thrown);
    return { message, errorType: name };
  }
  if (thrown === undefined || thrown === null)
    return { message: `The handler threw ${thrown}.`, errorType: String(thrown) };
  const message = `The handler threw a ${typeof thrown}: ${textOf(thrown)}`;
  return { message: clipBytes(message, limits.messageBytes), errorType: typeof thrown };
}

/**
 * Returns the wait before the next attempt in milliseconds, from the task type's backoff function, at most 30 days.
 * Returns undefined if there is no such function, or it throws or returns no duration; then the server's backoff
 * applies.
 */
function backoffOf(task: TaskType, attempt: number, thrown: unknown): number | undefined {
  const { backoff } = task.contract;
  if (backoff === undefined) return undefined;
  try {
    const wait: unknown = backoff(attempt, thrown);
    // A promise is no duration. If nothing handled its rejection, that would end the process.
    if (isInstance(wait, Promise)) wait.catch(() => {});
    return Math.min(durationMs(wait as Duration, 'backoff'), limits.backoffMaxMs);
  } catch {
    return undefined;
  }
}

/** Returns the outcome of a handler that threw without having been aborted. */
export function outcomeOfThrown(task: TaskType, attempt: number, thrown: unknown): AttemptOutcome {
  const error = describeThrown(thrown);
  const directive = retryDirectiveOf(thrown);
  if (directive?.kind === 'snooze')
    return { ...emptyOutcome, outcome: 'snoozed', afterMs: Math.max(1, directive.afterMs) };
  if (directive?.kind === 'retryAfter')
    return { ...emptyOutcome, ...error, outcome: 'failed', afterMs: directive.afterMs };
  if (directive?.kind === 'invalid')
    return {
      ...emptyOutcome,
      outcome: 'failed',
      message: clipBytes(`${directive.problem}; ${error.message}`, limits.messageBytes),
      errorType: error.errorType,
    };
  if (directive?.kind === 'fatal' || isInstance(thrown, ContractMismatch))
    return { ...emptyOutcome, ...error, outcome: 'fatal' };
  return { ...emptyOutcome, ...error, outcome: 'failed', afterMs: backoffOf(task, attempt, thrown) };
}

/**
 * Returns the outcome of an attempt that was aborted and then threw. Returns undefined if the attempt's lease is lost:
 * then nothing is reported to the server.
 */
export function outcomeOfAbort(reason: AttemptAborted, thrown: unknown): AttemptOutcome | undefined {
  switch (reason.kind) {
    case 'lease-lost':
      return undefined;
    case 'timeout':
      return timedOut(reason);
    case 'shutdown':
      return released;
    case 'cancelled': {
      const error = isInstance(thrown, AttemptAborted)
        ? { message: reason.message, errorType: '' }
        : describeThrown(thrown);
      return { ...emptyOutcome, ...error, outcome: 'cancelled' };
    }
  }
}

/** Returns the outcome of an attempt that reached its timeout: a failure with error type `TimeoutError`. */
export function timedOut(reason: AttemptAborted): AttemptOutcome {
  return { ...emptyOutcome, outcome: 'failed', message: reason.message, errorType: 'TimeoutError' };
}

/** Returns the outcome of an attempt whose own outcome the server refused, or could not be sent to it: a failure. */
export function unrecordedOutcome({
  message,
  reason,
}: Pick<ItemError, 'message' | 'reason'>): AttemptOutcome {
  const text = `The outcome of the attempt could not be recorded (${reason}): ${message}`;
  return {
    ...emptyOutcome,
    outcome: 'failed',
    message: clipBytes(text, limits.messageBytes),
    errorType: 'OutcomeRefused',
  };
}
