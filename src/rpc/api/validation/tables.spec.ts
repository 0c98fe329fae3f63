import { describe, expect, it } from 'vitest';
import { noOptions, payload } from '../../../../test/fixtures/api-node.ts';
import {
  checkItem,
  checkSpec,
  day,
  nowMs,
  violationLines,
} from '../../../../test/fixtures/validation-errors.ts';
import { encodeSpec } from '../../../core/codec/spec.ts';
import type { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { OptionsRequest } from '../../../core/submission/submission.ts';

const options = (more: Partial<OptionsRequest>) => checkItem({ options: { ...noOptions, ...more } });

describe('a submission', () => {
  it('is valid with every field at its limit', () => {
    const atLimits: OptionsRequest = {
      runAtMs: nowMs + limits.runAheadMs,
      delayMs: undefined,
      deadlineAtMs: nowMs,
      lifetimeMs: limits.lifetimeMaxMs,
      retentionMs: limits.retentionMaxMs,
      windowMs: limits.windowMaxMs,
      priority: 'low',
      retry: { maxAttempts: limits.maxAttempts, baseMs: 0, factor: 1, maxMs: limits.backoffMaxMs },
      attemptTimeoutMs: limits.attemptTimeoutMaxMs,
      tags: Array(limits.tags).fill('t'.repeat(limits.tagBytes)),
      parentId: 'p',
      whenDead: 'redrive',
      maxLosses: limits.maxLosses,
    };
    const spec = encodeSpec({
      type: 'T'.repeat(limits.nameChars),
      typeVersion: 7,
      orderingKey: 'o'.repeat(limits.keyChars),
      payload: payload(`"${'x'.repeat(limits.payloadBytes - 2)}"`),
    });
    expect(violationLines(checkItem({ key: 'k'.repeat(limits.keyChars), spec, options: atLimits }))).toEqual(
      [],
    );
  });

  it.each<[string, HoldfastError | undefined, string]>([
    [
      'an idempotency key of 256 characters',
      checkItem({ key: 'k'.repeat(256) }),
      'idempotencyKey: has 256 characters; at most 255',
    ],
    [
      'half a surrogate pair in its key',
      checkItem({ key: 'a\ud800' }),
      'idempotencyKey: holds half of a surrogate pair; send well-formed Unicode',
    ],
    ['no spec', checkItem({ spec: new Uint8Array() }), 'spec.type: is missing'],
    [
      'a task type of 65 characters',
      checkSpec({ type: 't'.repeat(65) }),
      'spec.type: has 65 characters; at most 64',
    ],
    [
      'a task type with a space',
      checkSpec({ type: 'a b' }),
      'spec.type: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen',
    ],
    [
      'an ordering key of 256 characters',
      checkSpec({ orderingKey: 'o'.repeat(256) }),
      'spec.orderingKey: has 256 characters; at most 255',
    ],
    [
      'a content type of 129 characters',
      checkSpec({ payload: payload('', 'c'.repeat(129)) }),
      'spec.payload.contentType: has 129 characters; at most 128',
    ],
    [
      'a scheduled start time more than 365 d ahead',
      options({ runAtMs: nowMs + limits.runAheadMs + 1 }),
      'options.runAtMs: is more than 365 d ahead',
    ],
    [
      'a delay of more than 365 d',
      options({ delayMs: 365 * day + 1 }),
      'options.delayMs: is 31536000001 ms; a whole number of ms from 0 ms to 365 d',
    ],
    [
      'both a scheduled start time and a delay',
      options({ runAtMs: nowMs, delayMs: 1 }),
      'options.delayMs: is given together with runAtMs; give one of them',
    ],
    [
      'a negative deadline',
      options({ deadlineAtMs: -1 }),
      'options.deadlineAtMs: is -1; milliseconds since the epoch',
    ],
    [
      'a lifetime of more than 365 d',
      options({ lifetimeMs: 366 * day }),
      'options.lifetimeMs: is 31622400000 ms; a whole number of ms from 1 ms to 365 d',
    ],
    [
      'a retention of more than 365 d',
      options({ retentionMs: 366 * day }),
      'options.retentionMs: is 31622400000 ms; a whole number of ms from 1 ms to 365 d',
    ],
    [
      'an idempotency window of less than 1 min',
      options({ windowMs: 59_999 }),
      'options.windowMs: is 59999 ms; a whole number of ms from 1 min to 30 d',
    ],
    [
      'an idempotency window of more than 30 d',
      options({ windowMs: 31 * day }),
      'options.windowMs: is 2678400000 ms; a whole number of ms from 1 min to 30 d',
    ],
    [
      'an unknown priority',
      options({ priority: 'urgent' as never }),
      'options.priority: is urgent; one of high, normal, low',
    ],
    [
      'more than 1,000 attempts',
      options({ retry: { maxAttempts: 1_001 } }),
      'options.retry.maxAttempts: is 1001; a whole number from 1 to 1,000',
    ],
    [
      'a maximum backoff of more than 30 d',
      options({ retry: { maxMs: 31 * day } }),
      'options.retry.maxMs: is 2678400000 ms; a whole number of ms from 0 ms to 30 d',
    ],
    [
      'a first backoff of 1.5 ms',
      options({ retry: { baseMs: 1.5 } }),
      'options.retry.baseMs: is 1.5 ms; a whole number of ms from 0 ms to 30 d',
    ],
    [
      'a backoff factor below 1',
      options({ retry: { factor: 0.5 } }),
      'options.retry.factor: is 0.5; at least 1',
    ],
    [
      'an infinite backoff factor',
      options({ retry: { factor: Number.POSITIVE_INFINITY } }),
      'options.retry.factor: is Infinity; at least 1',
    ],
    [
      'an attempt timeout of more than 11 h',
      options({ attemptTimeoutMs: 12 * 3_600_000 }),
      'options.attemptTimeoutMs: is 43200000 ms; a whole number of ms from 1 ms to 11 h',
    ],
    ['nine tags', options({ tags: Array(9).fill('t') }), 'options.tags: has 9 tags; at most 8'],
    [
      'a tag of 66 bytes',
      options({ tags: ['ok', 'é'.repeat(33)] }),
      'options.tags[1]: has 66 bytes; at most 64',
    ],
    ['an empty tag', options({ tags: [''] }), 'options.tags[0]: is empty'],
    [
      'a parent id of 256 characters',
      options({ parentId: 'p'.repeat(256) }),
      'options.parentId: has 256 characters; at most 255',
    ],
    ['too few losses', options({ maxLosses: 2 }), 'options.maxLosses: is 2; a whole number from 3 to 1,000'],
    [
      'an unknown value of whenDead',
      options({ whenDead: '7' as never }),
      'options.whenDead: is 7; one of return, redrive',
    ],
  ])('with %s is refused', (_what, error, violation) => {
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
    expect(violationLines(error)).toEqual([`items[3].${violation}`]);
  });

  it('is refused with all its violations at once', () => {
    const error = options({ tags: [''], windowMs: 1, priority: 'x' as never });
    expect(error?.violations.map((v) => v.field)).toEqual([
      'items[3].options.windowMs',
      'items[3].options.priority',
      'items[3].options.tags[0]',
    ]);
  });

  it('with a malformed spec is refused', () => {
    const error = checkItem({ spec: Uint8Array.of(0x0a, 0x7f, 0x41) });
    expect(violationLines(error)).toEqual(['items[3].spec: The message is malformed: it ends too early.']);
  });
});
