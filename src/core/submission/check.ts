import { HoldfastError, invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import { Memo } from '../memo.ts';
import { name, requireValid, text, time, traceparent, utf8Bytes, Violations, whole } from '../rules.ts';
import type { TaskEvent } from '../task/event.ts';
import type { Head, Progress } from '../task/head.ts';
import {
  aheadProblem,
  optionRules,
  progressRules,
  retryRules,
  tag,
  tagCount,
  typeVersion,
} from './field-rules.ts';
import { isRepeatable, type Options, type Submission } from './submission.ts';

/**
 * The checks of all engines, so that the embedded store refuses the same tasks that AWS would refuse. Each check
 * returns undefined or the error: INVALID_ARGUMENT with the reason TOO_LARGE, or BAD_FIELD with every wrong field.
 */

function tooLarge(what: string, bytes: number, most: number): HoldfastError {
  return new HoldfastError(
    'INVALID_ARGUMENT',
    'TOO_LARGE',
    `${what} has ${bytes} bytes; at most ${most} are allowed.`,
    { help: 'Store large data elsewhere and send a reference to it.' },
  );
}

const nameRule = name();
const keyRule = text(limits.keyChars, 'required');

/** The options that were found valid: most submissions share one object. */
const validOptions = new Memo<Options, true>(limits.rememberedOptions);

function checkOptions(to: Violations, options: Options, acceptedAtMs: number): void {
  if (validOptions.get(options)) return;
  to.addFields('options', optionRules, options);
  if (options.runAtMs !== undefined) to.add('options.runAtMs', aheadProblem(options.runAtMs, acceptedAtMs));
  to.addFields('options.retry', retryRules, options.retry);
  to.addList('options.tags', options.tags, tagCount, tag);
  if (to.isEmpty && isRepeatable(options)) validOptions.set(options, true);
}

/** Checks the fields and the size of a submission. */
export function checkSubmission(submission: Submission): HoldfastError | undefined {
  const { scope, spec, options, orderingKey, acceptedAtMs, expiresAtMs } = submission;
  const most = limits.payloadBytes + limits.envelopeBytes;
  if (spec.length > most) return tooLarge('The spec', spec.length, most);
  const to = new Violations();
  to.add('tenant', nameRule(scope.tenant));
  to.add('queue', nameRule(scope.queue));
  to.add('type', nameRule(submission.type));
  to.add('key', keyRule(scope.key));
  if (orderingKey !== undefined) to.add('orderingKey', keyRule(orderingKey));
  to.add('typeVersion', typeVersion(submission.typeVersion));
  to.add('acceptedAtMs', time(acceptedAtMs));
  to.add('expiresAtMs', time(expiresAtMs));
  if (expiresAtMs < acceptedAtMs) to.add('expiresAtMs', `is ${expiresAtMs}, before acceptedAtMs`);
  to.add('traceparent', traceparent(submission.traceparent));
  checkOptions(to, options, acceptedAtMs);
  return to.error();
}

/**
 * Checks the size of a result, the length of messages in events, and that the head's version is the stored version plus
 * the number of events.
 */
export function checkTransition(
  change: {
    readonly events: readonly TaskEvent[];
    readonly head: Head;
    readonly result: Uint8Array | undefined;
  },
  storedVersion: number,
): HoldfastError | undefined {
  const most = limits.resultBytes + limits.envelopeBytes;
  if (change.result !== undefined && change.result.length > most) {
    return tooLarge('The result', change.result.length, most);
  }
  for (const event of change.events) {
    const bytes = 'message' in event ? utf8Bytes(event.message) : 0;
    if (bytes > limits.messageBytes) return tooLarge('An error message', bytes, limits.messageBytes);
  }
  if (change.head.version !== storedVersion + change.events.length) {
    const mismatch = `${change.events.length} events after version ${storedVersion} do not make ${change.head.version}`;
    return new HoldfastError('INTERNAL', 'BUG', `A head must count its events: ${mismatch}.`, {
      help: 'This is a defect. Please report it.',
    });
  }
  return undefined;
}

/** Checks the progress of a heartbeat. */
export function checkProgress(progress: Progress | undefined): HoldfastError | undefined {
  if (progress === undefined) return undefined;
  const to = new Violations();
  to.addFields('progress', progressRules, progress);
  return to.error();
}

/** Refuses a whole call with TOO_LARGE if it has more items than `limits.batchItems`. */
export function checkBatch(items: readonly unknown[]): void {
  if (items.length <= limits.batchItems) return;
  throw new HoldfastError(
    'INVALID_ARGUMENT',
    'TOO_LARGE',
    `One call has ${items.length} items; at most ${limits.batchItems} are allowed.`,
    { help: 'Send them in several calls.' },
  );
}

const pageLimit = whole(1, limits.pageItems, 'items');

/** Throws BAD_FIELD if `limit` is not from 1 to `limits.pageItems`. */
export function checkPage(limit: number): void {
  requireValid('limit', pageLimit, limit);
}

/** Returns the error for a cursor that this engine did not make. */
export function badCursor(): HoldfastError {
  return invalid([
    { field: 'pageToken', description: 'is not a page token of this list; begin again without one' },
  ]);
}
