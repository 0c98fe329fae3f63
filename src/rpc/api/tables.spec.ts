import { describe, expect, it } from 'vitest';
import { item, noOptions, payload } from '../../../test/rig/api-node.ts';
import { encodePayload } from '../../core/codec/payload.ts';
import { encodeSpec, type Spec } from '../../core/codec/spec.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { HeartbeatItem, Settlement, SubmitItem } from '../../core/messages.ts';
import type { OptionsRequest } from '../../core/submission.ts';
import { credit, heartbeatItem, hello, settlement, submitItem } from './tables.ts';
import { judge } from './validate.ts';

const nowMs = Date.UTC(2026, 0, 1);
const day = 86_400_000;

function told(error: HoldfastError | undefined): string[] {
  return (error?.violations ?? []).map((v) => `${v.field}: ${v.description}`);
}

function submission(more: Partial<SubmitItem>): HoldfastError | undefined {
  return judge(submitItem, item('k', more), 'items[3]', nowMs);
}
const options = (more: Partial<OptionsRequest>) => submission({ options: { ...noOptions, ...more } });

function specWith(more: Partial<Spec>): HoldfastError | undefined {
  const spec: Spec = { type: 't', typeVersion: 1, orderingKey: undefined, payload: payload('1'), ...more };
  return submission({ spec: encodeSpec(spec) });
}

describe('a submission', () => {
  it('passes at every limit', () => {
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
      whenDead: 'retry',
    };
    const spec = encodeSpec({
      type: 'T'.repeat(limits.nameChars),
      typeVersion: 7,
      orderingKey: 'o'.repeat(limits.keyChars),
      payload: payload(`"${'x'.repeat(limits.payloadBytes - 2)}"`),
    });
    expect(told(submission({ key: 'k'.repeat(limits.keyChars), spec, options: atLimits }))).toEqual([]);
  });

  it.each<[string, HoldfastError | undefined, string]>([
    ['a long key', submission({ key: 'k'.repeat(256) }), 'idempotencyKey: has 256 characters; at most 255'],
    [
      'half a surrogate pair',
      submission({ key: 'a\ud800' }),
      'idempotencyKey: holds half of a surrogate pair; send well-formed Unicode',
    ],
    ['no spec', submission({ spec: new Uint8Array() }), 'spec.type: is missing'],
    ['a long type', specWith({ type: 't'.repeat(65) }), 'spec.type: has 65 characters; at most 64'],
    [
      'a type with a space',
      specWith({ type: 'a b' }),
      'spec.type: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen',
    ],
    [
      'a long ordering key',
      specWith({ orderingKey: 'o'.repeat(256) }),
      'spec.orderingKey: has 256 characters; at most 255',
    ],
    [
      'a long content type',
      specWith({ payload: payload('', 'c'.repeat(129)) }),
      'spec.payload.contentType: has 129 characters; at most 128',
    ],
    [
      'a run time too far ahead',
      options({ runAtMs: nowMs + limits.runAheadMs + 1 }),
      'options.runAtMs: is more than 365 d ahead',
    ],
    [
      'a delay too long',
      options({ delayMs: 365 * day + 1 }),
      'options.delayMs: is 31536000001 ms; a whole number of ms from 0 ms to 365 d',
    ],
    [
      'a run time and a delay',
      options({ runAtMs: nowMs, delayMs: 1 }),
      'options.delayMs: is given together with runAtMs; give one of them',
    ],
    [
      'a negative deadline',
      options({ deadlineAtMs: -1 }),
      'options.deadlineAtMs: is -1; milliseconds since the epoch',
    ],
    [
      'a lifetime too long',
      options({ lifetimeMs: 366 * day }),
      'options.lifetimeMs: is 31622400000 ms; a whole number of ms from 1 ms to 365 d',
    ],
    [
      'a retention too long',
      options({ retentionMs: 366 * day }),
      'options.retentionMs: is 31622400000 ms; a whole number of ms from 1 ms to 365 d',
    ],
    [
      'a window too short',
      options({ windowMs: 59_999 }),
      'options.windowMs: is 59999 ms; a whole number of ms from 1 min to 30 d',
    ],
    [
      'a window too long',
      options({ windowMs: 31 * day }),
      'options.windowMs: is 2678400000 ms; a whole number of ms from 1 min to 30 d',
    ],
    [
      'an unknown priority',
      options({ priority: 'urgent' as never }),
      'options.priority: is urgent; one of high, normal, low',
    ],
    [
      'too many attempts',
      options({ retry: { maxAttempts: 1_001 } }),
      'options.retry.maxAttempts: is 1001; a whole number from 1 to 1,000',
    ],
    [
      'a backoff too long',
      options({ retry: { maxMs: 31 * day } }),
      'options.retry.maxMs: is 2678400000 ms; a whole number of ms from 0 ms to 30 d',
    ],
    [
      'a first backoff of a fraction',
      options({ retry: { baseMs: 1.5 } }),
      'options.retry.baseMs: is 1.5 ms; a whole number of ms from 0 ms to 30 d',
    ],
    ['a shrinking backoff', options({ retry: { factor: 0.5 } }), 'options.retry.factor: is 0.5; at least 1'],
    [
      'a growth without end',
      options({ retry: { factor: Number.POSITIVE_INFINITY } }),
      'options.retry.factor: is Infinity; at least 1',
    ],
    [
      'an attempt too long',
      options({ attemptTimeoutMs: 12 * 3_600_000 }),
      'options.attemptTimeoutMs: is 43200000 ms; a whole number of ms from 1 ms to 11 h',
    ],
    ['too many tags', options({ tags: Array(9).fill('t') }), 'options.tags: has 9 tags; at most 8'],
    ['a long tag', options({ tags: ['ok', 'é'.repeat(33)] }), 'options.tags[1]: has 66 bytes; at most 64'],
    ['an empty tag', options({ tags: [''] }), 'options.tags[0]: is empty'],
    [
      'a long parent',
      options({ parentId: 'p'.repeat(256) }),
      'options.parentId: has 256 characters; at most 255',
    ],
    [
      'an unknown word for dead',
      options({ whenDead: '7' as never }),
      'options.whenDead: is 7; one of return, retry',
    ],
  ])('with %s is refused', (_what, error, violation) => {
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
    expect(told(error)).toEqual([`items[3].${violation}`]);
  });

  it('is told of every violation at once', () => {
    const error = options({ tags: [''], windowMs: 1, priority: 'x' as never });
    expect(error?.violations.map((v) => v.field)).toEqual([
      'items[3].options.windowMs',
      'items[3].options.priority',
      'items[3].options.tags[0]',
    ]);
  });

  it('with bytes that are no spec is refused', () => {
    const error = submission({ spec: Uint8Array.of(0x0a, 0x7f, 0x41) });
    expect(told(error)).toEqual(['items[3].spec: The message is malformed: it ends too early.']);
  });
});

describe('a payload', () => {
  it('that says it is JSON must be', () => {
    const error = specWith({ payload: payload('{"a":') });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_JSON' });
    expect(told(error)[0]).toMatch(/^items\[3\]\.spec\.payload\.bytes: is not valid JSON: /);
  });

  it('that says it is JSON must be UTF-8', () => {
    const error = specWith({ payload: { ...payload(''), bytes: Uint8Array.of(0x22, 0xff, 0x22) } });
    expect(error).toMatchObject({ reason: 'BAD_JSON' });
    expect(told(error)).toEqual(['items[3].spec.payload.bytes: is not valid UTF-8']);
  });

  it('that says nothing of itself is JSON, unless it is nothing', () => {
    expect(specWith({ payload: payload('nope', '') })).toMatchObject({ reason: 'BAD_JSON' });
    expect(specWith({ payload: payload('', '') })).toBeUndefined();
  });

  it('of another type, packed or encrypted may be any bytes', () => {
    expect(specWith({ payload: payload('{', 'text/plain') })).toBeUndefined();
    expect(specWith({ payload: { ...payload('{'), encoding: 'zstd' } })).toBeUndefined();
    expect(specWith({ payload: { ...payload('{'), keyId: 'k' } })).toBeUndefined();
  });

  it('past 256 KiB is too large', () => {
    const error = specWith({ payload: payload('x'.repeat(limits.payloadBytes + 1), 'text/plain') });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE', retryable: false });
    expect(told(error)).toEqual(['items[3].spec.payload.bytes: has 262,145 bytes; at most 262,144']);
  });

  it('that lies elsewhere is not built yet', () => {
    const error = specWith({ payload: { ...payload(''), reference: 's3://b/k' } });
    expect(error).toMatchObject({ code: 'UNIMPLEMENTED', reason: 'NOT_BUILT' });
  });

  it('is one of several violations where others are wrong too', () => {
    expect(specWith({ type: '', payload: payload('{') })).toMatchObject({ reason: 'BAD_FIELD' });
  });
});

describe('a settlement', () => {
  const good: Settlement = {
    lease: Uint8Array.of(1),
    outcome: 'failed',
    result: undefined,
    message: 'x'.repeat(limits.messageBytes * 2),
    errorType: '',
    afterMs: undefined,
  };
  const settled = (more: Partial<Settlement>) => told(judge(settlement, { ...good, ...more }, '', nowMs));

  it('is not refused for a long message, which is cut', () => {
    expect(settled({})).toEqual([]);
  });

  it.each<[string, Partial<Settlement>, string]>([
    ['without a lease', { lease: new Uint8Array() }, 'lease: is missing'],
    ['with a long lease', { lease: new Uint8Array(2_049) }, 'lease: has 2,049 bytes; at most 2,048'],
    [
      'with an unknown outcome',
      { outcome: '9' as never },
      'outcome: is 9; one of succeeded, failed, fatal, snoozed, released, cancelled',
    ],
    [
      'that snoozes without saying how long',
      { outcome: 'snoozed' },
      'afterMs: is missing; a snooze says how long',
    ],
    [
      'that snoozes too long',
      { outcome: 'snoozed', afterMs: 366 * day },
      'afterMs: is 31622400000 ms; a whole number of ms from 1 ms to 365 d',
    ],
    [
      'that backs off too long',
      { afterMs: 31 * day },
      'afterMs: is 2678400000 ms; a whole number of ms from 0 ms to 30 d',
    ],
    [
      'with a large result',
      { outcome: 'succeeded', result: encodePayload(payload('x'.repeat(limits.resultBytes + 1), 'a/b')) },
      'result.bytes: has 262,145 bytes; at most 262,144',
    ],
    [
      'with a result that is not JSON',
      { outcome: 'succeeded', result: encodePayload(payload('no')) },
      `result.bytes: is not valid JSON: Unexpected token 'o', "no" is not valid JSON`,
    ],
  ])('%s is refused', (_what, more, violation) => {
    expect(settled(more)).toEqual([violation]);
  });
});

describe('a heartbeat', () => {
  it.each<[string, HeartbeatItem['progress'], string]>([
    ['past the end', { fraction: 1.1, note: '' }, 'progress.fraction: is 1.1; from 0 to 1'],
    ['of no number', { fraction: Number.NaN, note: '' }, 'progress.fraction: is NaN; from 0 to 1'],
    [
      'with a long note',
      { fraction: 1, note: 'n'.repeat(257) },
      'progress.note: has 257 characters; at most 256',
    ],
  ])('with progress %s is refused', (_what, progress, violation) => {
    expect(told(judge(heartbeatItem, { lease: Uint8Array.of(1), progress }, '', nowMs))).toEqual([violation]);
  });
});

describe('a worker’s hello', () => {
  type Hello = Parameters<typeof hello>[0];
  const good: Hello = {
    kind: 'hello',
    tenant: '',
    workerName: 'w',
    workerId: 'id',
    queues: ['q'],
    types: [{ type: 't', maxVersion: 1 }],
    tasks: 1,
    bytes: 1,
  };

  it.each<[string, Partial<Hello>, string]>([
    ['without a name', { workerName: '' }, 'workerName: is missing'],
    ['with a long id', { workerId: 'i'.repeat(65) }, 'workerId: has 65 characters; at most 64'],
    ['for no queue', { queues: [] }, 'queues: has 0 queues; at least 1'],
    ['for too many queues', { queues: Array(65).fill('q') }, 'queues: has 65 queues; at most 64'],
    [
      'for a bad queue',
      { queues: ['q', 'a/b'] },
      'queues[1]: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen',
    ],
    ['for a bad tenant', { tenant: 'ü' }, 'tenant: may hold only A-Z, a-z, 0-9, dot, underscore and hyphen'],
    [
      'for too many types',
      { types: Array(257).fill({ type: 't', maxVersion: 1 }) },
      'types: has 257 types; at most 256',
    ],
    ['for a bad type', { types: [{ type: '', maxVersion: 1 }] }, 'types[0].type: is missing'],
    ['with too many credits', { tasks: 4_097 }, 'tasks: is 4097; a whole number from 0 to 4,096 tasks'],
    ['with negative credits', { bytes: -1 }, 'bytes: is -1; a whole number from 0 to 4,294,967,295 bytes'],
  ])('%s is refused', (_what, more, violation) => {
    expect(told(judge(hello, { ...good, ...more }, '', nowMs))).toEqual([violation]);
  });

  it('is followed by credits within the same limits', () => {
    expect(told(judge(credit, { kind: 'credit', tasks: 4_097, bytes: 0 }, '', nowMs))).toHaveLength(1);
  });
});
