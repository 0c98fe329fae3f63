import { HoldfastError, invalid, type Violation } from './errors.ts';
import type { TaskEvent } from './event.ts';
import type { Head, Progress } from './head.ts';
import { limits } from './limits.ts';
import type { Options, Submission } from './submission.ts';

/**
 * The limits that a store enforces, once for all engines: what the cloud would refuse the embedded store refuses
 * too. Each check answers undefined or the error: INVALID_ARGUMENT with BAD_FIELD (every wrong field named) or
 * TOO_LARGE.
 */

const namePattern = /^[A-Za-z0-9._-]{1,64}$/;

function tooLarge(what: string, bytes: number, most: number): HoldfastError {
  return new HoldfastError(
    'INVALID_ARGUMENT',
    'TOO_LARGE',
    `${what} has ${bytes} bytes; at most ${most} are allowed.`,
    {
      help: 'Keep large data elsewhere and send a reference to it.',
    },
  );
}

/** UTF-8 bytes of a string, counted without encoding it. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    // Each half of a surrogate pair is 2 of its 4 bytes.
    else bytes += unit >= 0xd800 && unit <= 0xdfff ? 2 : 3;
  }
  return bytes;
}

class Violations {
  readonly found: Violation[] = [];

  name(field: string, value: string): void {
    if (!namePattern.test(value)) this.add(field, `must be 1 to ${limits.nameChars} of A-Z a-z 0-9 . _ -`);
  }

  key(field: string, value: string): void {
    if (value.length < 1 || value.length > limits.keyChars) {
      this.add(field, `must have 1 to ${limits.keyChars} characters, not ${value.length}`);
    } else if (!value.isWellFormed()) {
      this.add(field, 'must be well-formed Unicode');
    }
  }

  between(field: string, value: number, least: number, most: number): void {
    if (!(value >= least && value <= most)) this.add(field, `must be from ${least} to ${most}, not ${value}`);
  }

  whole(field: string, value: number, least: number, most: number): void {
    if (Number.isSafeInteger(value)) this.between(field, value, least, most);
    else this.add(field, 'must be a whole number');
  }

  add(field: string, description: string): void {
    this.found.push({ field, description });
  }
}

function checkTags(tags: readonly string[], to: Violations): void {
  if (tags.length > limits.tags) to.add('options.tags', `at most ${limits.tags} tags, not ${tags.length}`);
  for (const tag of tags) {
    const bytes = utf8Bytes(tag);
    if (bytes < 1 || bytes > limits.tagBytes || !tag.isWellFormed()) {
      to.add('options.tags', `a tag has 1 to ${limits.tagBytes} bytes of well-formed Unicode, not ${bytes}`);
    }
  }
}

function checkOptions(options: Options, acceptedAtMs: number, to: Violations): void {
  const { retry, runAtMs } = options;
  if (runAtMs !== undefined) {
    to.whole('options.runAtMs', runAtMs, 0, acceptedAtMs + limits.runAheadMs);
  }
  to.whole('options.windowMs', options.windowMs, limits.windowMinMs, limits.windowMaxMs);
  to.whole('options.lifetimeMs', options.lifetimeMs, 1, limits.lifetimeMaxMs);
  to.whole('options.retentionMs', options.retentionMs, 0, limits.retentionMaxMs);
  to.whole('options.attemptTimeoutMs', options.attemptTimeoutMs, 1, limits.attemptTimeoutMaxMs);
  to.whole('options.retry.maxAttempts', retry.maxAttempts, 1, limits.maxAttempts);
  to.between('options.retry.maxMs', retry.maxMs, 0, limits.backoffMaxMs);
  checkTags(options.tags, to);
}

/** A submission's fields and sizes. */
export function checkSubmission(submission: Submission): HoldfastError | undefined {
  const { scope, spec, options, orderingKey } = submission;
  const most = limits.payloadBytes + limits.envelopeBytes;
  if (spec.length > most) return tooLarge('The spec', spec.length, most);
  const to = new Violations();
  to.name('tenant', scope.tenant);
  to.name('queue', scope.queue);
  to.name('type', submission.type);
  to.key('key', scope.key);
  if (orderingKey !== undefined) to.key('orderingKey', orderingKey);
  to.whole('typeVersion', submission.typeVersion, 1, 0xffff_ffff);
  to.whole('acceptedAtMs', submission.acceptedAtMs, 0, Number.MAX_SAFE_INTEGER);
  to.whole('expiresAtMs', submission.expiresAtMs, submission.acceptedAtMs, Number.MAX_SAFE_INTEGER);
  checkOptions(options, submission.acceptedAtMs, to);
  return to.found.length === 0 ? undefined : invalid(to.found);
}

/**
 * A result's size, the length of messages in events, and that the head counts the events: it follows the stored
 * `version` by as many as there are.
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
    const said = `${change.events.length} events after version ${storedVersion} do not make ${change.head.version}`;
    return new HoldfastError('INTERNAL', 'BUG', `A head must count its events: ${said}.`, {
      help: 'This is a defect. Please report it.',
    });
  }
  return undefined;
}

/** A heartbeat's progress. */
export function checkProgress(progress: Progress | undefined): HoldfastError | undefined {
  if (progress === undefined) return undefined;
  const to = new Violations();
  to.between('progress.fraction', progress.fraction, 0, 1);
  if (progress.note.length > limits.progressNoteChars) {
    to.add('progress.note', `at most ${limits.progressNoteChars} characters, not ${progress.note.length}`);
  }
  return to.found.length === 0 ? undefined : invalid(to.found);
}

/** How many items one call may have. Throws: a call that is too large is refused as a whole. */
export function checkBatch(items: readonly unknown[]): void {
  if (items.length <= limits.batchItems) return;
  throw new HoldfastError(
    'INVALID_ARGUMENT',
    'TOO_LARGE',
    `One call has ${items.length} items; at most ${limits.batchItems} are allowed.`,
    { help: 'Send them in several calls.' },
  );
}

/** Items of one page. Throws. */
export function checkPage(limit: number): void {
  const to = new Violations();
  to.whole('limit', limit, 1, limits.pageItems);
  if (to.found.length > 0) throw invalid(to.found);
}

/** What to throw for a cursor that this engine did not make. */
export function badCursor(): HoldfastError {
  return invalid([{ field: 'cursor', description: 'is none that this list gave; begin again without one' }]);
}
