import { HoldfastError, invalid, type Violation } from '../errors.ts';
import { limits } from '../limits.ts';
import type { TaskEvent } from '../task/event.ts';
import type { Head, Progress } from '../task/head.ts';
import { type Options, priorities, type RetryPolicy, type Submission } from './submission.ts';

/**
 * The limits that a store enforces, once for all engines: what the cloud would refuse the embedded store refuses
 * too. Each check answers undefined or the error: INVALID_ARGUMENT with BAD_FIELD (every wrong field named) or
 * TOO_LARGE.
 */

const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
const traceparentPattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Whether it is a W3C traceparent. */
export function isTraceparent(text: string): boolean {
  return traceparentPattern.test(text);
}

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

  oneOf(field: string, value: string, known: readonly string[]): void {
    if (!known.includes(value)) this.add(field, `must be one of ${known.join(', ')}, not ${value}`);
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

type Look<V> = (value: V, to: Violations, acceptedAtMs: number) => void;
/** A look at every field: one that is added to M and has none does not compile. */
type Looks<M> = { readonly [K in keyof M]-?: Look<M[K]> };

function lookAll<M extends object>(looks: Looks<M>, value: M, to: Violations, acceptedAtMs: number): void {
  for (const key in looks) looks[key](value[key], to, acceptedAtMs);
}

const retryLooks: Looks<RetryPolicy> = {
  maxAttempts: (count, to) => to.whole('options.retry.maxAttempts', count, 1, limits.maxAttempts),
  baseMs: (ms, to) => to.whole('options.retry.baseMs', ms, 0, limits.backoffMaxMs),
  factor: (factor, to) => to.between('options.retry.factor', factor, 1, Number.MAX_VALUE),
  maxMs: (ms, to) => to.whole('options.retry.maxMs', ms, 0, limits.backoffMaxMs),
};

const optionLooks: Looks<Options> = {
  runAtMs(ms, to, acceptedAtMs) {
    if (ms !== undefined) to.whole('options.runAtMs', ms, 0, acceptedAtMs + limits.runAheadMs);
  },
  deadlineAtMs(ms, to) {
    if (ms !== undefined) to.whole('options.deadlineAtMs', ms, 0, Number.MAX_SAFE_INTEGER);
  },
  lifetimeMs: (ms, to) => to.whole('options.lifetimeMs', ms, 1, limits.lifetimeMaxMs),
  ownLifetime() {},
  retentionMs: (ms, to) => to.whole('options.retentionMs', ms, 0, limits.retentionMaxMs),
  windowMs: (ms, to) => to.whole('options.windowMs', ms, limits.windowMinMs, limits.windowMaxMs),
  priority: (word, to) => to.oneOf('options.priority', word, priorities),
  retry: (retry, to, acceptedAtMs) => lookAll(retryLooks, retry, to, acceptedAtMs),
  attemptTimeoutMs: (ms, to) => to.whole('options.attemptTimeoutMs', ms, 1, limits.attemptTimeoutMaxMs),
  tags: checkTags,
  parentId(id, to) {
    if (id !== undefined) to.key('options.parentId', id);
  },
  whenDead: (word, to) => to.oneOf('options.whenDead', word, ['return', 'retry']),
};

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
  if (submission.traceparent !== '' && !isTraceparent(submission.traceparent)) {
    to.add('traceparent', 'must be a W3C traceparent or empty');
  }
  lookAll(optionLooks, options, to, submission.acceptedAtMs);
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
