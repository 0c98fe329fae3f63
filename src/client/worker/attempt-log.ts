/** The log lines and callbacks about attempts that failed, were stopped, or made their task dead. */
import { peekSpec } from '../../core/codec/spec.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { SettleResult } from '../../core/messages.ts';
import { isInstance, readProperty } from '../../core/untrusted.ts';
import { errorOf } from '../backoff.ts';
import type { WorkerSpec } from '../contract/handler.ts';
import { AttemptAborted } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type LoggedAttempt, logFields } from './attempt.ts';
import { type AttemptOutcome, describeThrown } from './outcome.ts';

/**
 * Logs a failed attempt as one line of level warn. The stack comes at level debug: a failing handler fails at every
 * attempt, and its stacks would bury all other lines.
 */
export function logFailed(
  log: Logger,
  attempt: LoggedAttempt,
  type: string,
  thrown: unknown,
  { outcome }: AttemptOutcome,
): void {
  const fields = { ...logFields(attempt), type };
  const { message, errorType } = describeThrown(thrown);
  const { maxAttempts } = attempt.assignment;
  const failure = {
    max_attempts: maxAttempts,
    error: message,
    error_type: errorType,
    at: locationOf(thrown),
  };
  log.warn({ ...fields, ...failure, outcome }, 'an attempt failed');
  log.debug({ ...fields, err: thrown }, 'the error that the failed attempt threw');
}

/** Logs an attempt that stopped because its signal was aborted, at level info: this is no failure. */
export function logStopped(
  log: Logger,
  attempt: LoggedAttempt,
  type: string,
  thrown: unknown,
  why: AttemptAborted,
): void {
  const error = isInstance(thrown, AttemptAborted) ? undefined : describeThrown(thrown).message;
  log.info({ ...logFields(attempt), type, why: why.message, error }, 'an attempt stopped on request');
}

/** Logs that the process ended in which the handler of one task ran. Only that process ended, and only this task is lost. */
export function logLost(log: Logger, attempt: LoggedAttempt, type: string, how: string): void {
  const { id } = attempt.assignment;
  const losses = attempt.assignment.losses + 1;
  log.error(
    { ...logFields(attempt), type, how, losses },
    `the process of task ${id} (${type}) ended by itself (${how}); the task has now lost ${losses} workers`,
  );
}

/** Logs that no handler could be called in a process of its own. Such tasks run in this process from now on. */
export function logNotBegun(log: Logger, attempt: LoggedAttempt, type: string, how: string): void {
  const { id } = attempt.assignment;
  log.error(
    { ...logFields(attempt), type, how },
    `could not start a process for task ${id} (${type}): it ended before the handler was called (${how}). ` +
      'Tasks that must run alone now run in this process, while nothing else runs in it',
  );
}

/** Logs that a task waits until nothing else runs in this process, and that nothing else begins meanwhile. */
export function logWaitsAlone(log: Logger, attempt: LoggedAttempt, type: string, running: number): void {
  const { losses } = attempt.assignment;
  log.warn(
    { ...logFields(attempt), type, losses, running },
    'a task whose workers were lost runs alone: the worker begins nothing else until it has ended',
  );
}

/** Logs an outcome that cannot be sent, or that the server refuses as invalid. The attempt is reported as failed. */
export function logUnrecorded(
  log: Logger,
  attempt: LoggedAttempt,
  { outcome }: AttemptOutcome,
  err: HoldfastError,
): void {
  log.warn(
    { ...logFields(attempt), err, outcome },
    'the outcome of an attempt could not be recorded; the attempt is reported as failed',
  );
}

/**
 * Handles the server's answer to a settlement. Logs a settlement that was refused; if the settlement made the task
 * dead, logs that and calls `onDead`.
 */
export function reportRecorded(
  { onDead }: Pick<WorkerSpec, 'onDead'>,
  log: Logger,
  attempt: LoggedAttempt,
  outcome: AttemptOutcome,
  result: SettleResult,
): void {
  if (result.error !== undefined) {
    const err = errorOf(result.error);
    log.warn(
      { ...logFields(attempt), err, outcome: outcome.outcome },
      'the server refused the outcome of an attempt',
    );
    return;
  }
  if (result.state !== 'dead') return;
  const { id, queue, attempt: number, spec } = attempt.assignment;
  const { message, errorType } = outcome;
  const { type } = peekSpec(spec);
  logDead(log, attempt, type, outcome);
  if (onDead === undefined) return;
  const callOnDead = async (): Promise<void> =>
    onDead({ id, type, queue, attempt: number, message, errorType });
  callOnDead().catch((err: unknown) =>
    log.error(
      { ...logFields(attempt), err },
      'the onDead callback of the worker failed; it is not called again',
    ),
  );
}

/** Logs that a task is dead. It is called after the server has recorded the death. */
function logDead(
  log: Logger,
  attempt: LoggedAttempt,
  type: string,
  { message, errorType }: AttemptOutcome,
): void {
  const fields = { ...logFields(attempt), type, error: message, error_type: errorType };
  const { id } = attempt.assignment;
  log.error(fields, `the task is dead; once the cause is fixed, run it again: holdfast redrive ${id}`);
}

/** The end of a stack that is searched: its frames follow the message, which may be very long. */
const searchedStackChars = 8_192;

/** Returns `file:line:column` of the first stack frame outside Node.js itself. */
function locationOf(thrown: unknown): string | undefined {
  const stack = isInstance(thrown, Error) ? readProperty(thrown, 'stack') : undefined;
  if (typeof stack !== 'string') return undefined;
  const lines = stack.slice(-searchedStackChars).split('\n');
  const frame = lines.find((line) => /^ {4}at /.test(line) && !line.includes('node:'));
  return frame
    ?.replace(/^.*?at (?:.*\()?/, '')
    .replace(/\)$/, '')
    .replace(/^file:\/\//, '');
}
