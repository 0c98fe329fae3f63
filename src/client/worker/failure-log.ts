/** What the log says of attempts that did not succeed: a short line each, the whole stack for those who ask for it. */
import type { Assignment } from '../../core/messages.ts';
import { AttemptAborted } from '../errors.ts';
import type { Logger } from '../log.ts';
import { logFields } from './attempt.ts';
import { type AttemptOutcome, tellThrown } from './outcome.ts';

/** A failing handler is met at every attempt: its stack each time would bury all else, so it comes with level debug. */
export function tellFailed(
  log: Logger,
  assignment: Assignment,
  type: string,
  thrown: unknown,
  { outcome }: AttemptOutcome,
): void {
  const fields = { ...logFields(assignment), type };
  const { message, errorType } = tellThrown(thrown);
  const { maxAttempts } = assignment;
  const said = { max_attempts: maxAttempts, error: message, error_type: errorType, at: placeOf(thrown) };
  log.warn({ ...fields, ...said, outcome }, 'an attempt failed');
  log.debug({ ...fields, err: thrown }, 'what the attempt threw');
}

/** It ended because it was asked to: nothing is wrong. */
export function tellStopped(
  log: Logger,
  assignment: Assignment,
  type: string,
  thrown: unknown,
  why: AttemptAborted,
): void {
  const error = thrown instanceof AttemptAborted ? undefined : tellThrown(thrown).message;
  log.info(
    { ...logFields(assignment), type, why: why.message, error },
    'an attempt ended, as it was asked to',
  );
}

/** Once the server has recorded that there is no further attempt. */
export function tellDead(
  log: Logger,
  assignment: Assignment,
  type: string,
  { message, errorType }: AttemptOutcome,
): void {
  const fields = { ...logFields(assignment), type, error: message, error_type: errorType };
  const { id } = assignment;
  log.error(fields, `the task is dead; once the cause is gone, run it again: holdfast retry ${id}`);
}

/** `file:line:column` of the first frame that is not Node's own. */
function placeOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const frame = stack.split('\n').find((line) => /^ {4}at /.test(line) && !line.includes('node:'));
  return frame
    ?.replace(/^.*?at (?:.*\()?/, '')
    .replace(/\)$/, '')
    .replace(/^file:\/\//, '');
}
