import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TaskEventSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import {
  SubmitTasksRequestSchema,
  SubmitTasksResponseSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import {
  ReportRequestSchema,
  ReportResponseSchema,
  WorkRequestSchema,
  WorkResponseSchema,
} from '../../rpc/gen/holdfast/v1/worker_service_pb.ts';
import { HoldfastError } from '../errors.ts';
import type {
  ItemError,
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  WorkRequest,
  WorkResponse,
} from '../messages.ts';
import { decodeEvent, decodeEvents, type EventFields, encodeEvent, encodeEvents } from './event.ts';
import { decodeLease, encodeLease } from './lease.ts';
import { decodeOptions, encodeOptions } from './options.ts';
import { encodePayload } from './payload.ts';
import {
  decodeReportRequest,
  decodeReportResponse,
  encodeReportRequest,
  encodeReportResponse,
} from './report.ts';
import { encodeSpec, peekSpec, readSpec } from './spec.ts';
import { decodeSubmitBatch, decodeSubmitResult, encodeSubmitBatch, encodeSubmitResult } from './submit.ts';
import { decodeWorkRequest, decodeWorkResponse, encodeWorkRequest, encodeWorkResponse } from './work.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const filled = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
const whole = fc.integer({ min: 1, max: 2 ** 48 });
const count = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const blob = fc.uint8Array({ minLength: 1, maxLength: 400 });

const spec = fc
  .record({
    type: filled,
    typeVersion: count,
    orderingKey: fc.option(filled, { nil: undefined }),
    bytes: blob,
  })
  .map(({ bytes, ...rest }) =>
    encodeSpec({
      ...rest,
      payload: { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' },
    }),
  );

const payload = blob.map((bytes) =>
  encodePayload({ contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' }),
);

const options = fc.record({
  runAtMs: fc.option(whole, { nil: undefined }),
  delayMs: fc.option(whole, { nil: undefined }),
  deadlineAtMs: fc.option(whole, { nil: undefined }),
  lifetimeMs: fc.option(whole, { nil: undefined }),
  retentionMs: fc.option(whole, { nil: undefined }),
  windowMs: fc.option(whole, { nil: undefined }),
  priority: fc.constantFrom('high', 'normal', 'low', undefined),
  retry: fc.option(
    fc.record({
      maxAttempts: count,
      baseMs: whole,
      factor: fc.double({ min: 1, max: 9, noNaN: true }),
      maxMs: whole,
    }),
    { nil: undefined },
  ),
  attemptTimeoutMs: fc.option(whole, { nil: undefined }),
  tags: fc.array(text, { maxLength: 8 }),
  parentId: fc.option(filled, { nil: undefined }),
  whenDead: fc.constantFrom('return', 'retry', undefined),
});

const itemError: fc.Arbitrary<ItemError> = fc.record({
  code: fc.constantFrom('NOT_FOUND', 'ALREADY_EXISTS', 'UNAVAILABLE'),
  reason: fc.constantFrom('KEY_REUSED', 'TASK_NOT_FOUND', 'BUG'),
  message: filled,
  help: fc.option(filled, { nil: undefined }),
  taskId: fc.option(filled, { nil: undefined }),
  retryAfterMs: fc.option(whole, { nil: undefined }),
  violations: fc.array(fc.record({ field: filled, description: filled }), { maxLength: 3 }),
});

const batch: fc.Arbitrary<SubmitBatch> = fc.record({
  tenant: text,
  queue: text,
  items: fc.array(fc.record({ key: text, spec, options, traceparent: text }), { maxLength: 5 }),
});

const state = fc.constantFrom('scheduled', 'ready', 'running', 'succeeded', 'dead', 'cancelled');
const handled = fc.record({ type: filled, maxVersion: count });
const assignment = fc.record({
  id: filled,
  lease: blob,
  spec,
  attempt: count,
  maxAttempts: count,
  token: whole,
  key: text,
  queue: text,
  tenant: text,
  leaseMs: whole,
  timeoutMs: whole,
  deadlineInMs: whole,
  traceparent: text,
  parentId: text,
  tags: fc.array(text, { maxLength: 8 }),
});
const cause = fc.constantFrom('cancelled', 'deadline', 'leaseLost', 'timeout');
const progress = fc.record({ fraction: fc.double({ min: 0.01, max: 1, noNaN: true }), note: text });

const workRequest: fc.Arbitrary<WorkRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    tenant: text,
    workerName: text,
    workerId: text,
    queues: fc.array(text, { maxLength: 4 }),
    types: fc.array(handled, { maxLength: 4 }),
    tasks: count,
    bytes: count,
  }),
  fc.record({ kind: fc.constant('credit' as const), tasks: count, bytes: count }),
  fc.record({ kind: fc.constant('received' as const), seq: count }),
  fc.constant({ kind: 'keepAlive' as const }),
);
const workResponse: fc.Arbitrary<WorkResponse> = fc.oneof(
  fc.record({
    kind: fc.constant('welcome' as const),
    sessionId: text,
    node: text,
    leaseMs: whole,
    heartbeatMs: whole,
  }),
  fc.record({
    kind: fc.constant('assignments' as const),
    seq: count,
    tasks: fc.array(assignment, { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('cancel' as const), id: filled, token: whole, cause }),
  fc.constant({ kind: 'drain' as const }),
  fc.constant({ kind: 'keepAlive' as const }),
);
const settlement = fc.record({
  lease: blob,
  outcome: fc.constantFrom('succeeded', 'failed', 'fatal', 'snoozed', 'released', 'cancelled'),
  result: fc.option(payload, { nil: undefined }),
  message: text,
  errorType: text,
  afterMs: fc.option(whole, { nil: undefined }),
});
const reportRequest: fc.Arbitrary<ReportRequest> = fc.oneof(
  fc.record({ kind: fc.constant('hello' as const), sessionId: text, workerId: text, tenant: text }),
  fc.record({
    kind: fc.constant('settlements' as const),
    batch: count,
    items: fc.array(settlement, { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('heartbeats' as const),
    batch: count,
    items: fc.array(fc.record({ lease: blob, progress: fc.option(progress, { nil: undefined }) }), {
      maxLength: 4,
    }),
  }),
  fc.constant({ kind: 'keepAlive' as const }),
);
const reportResponse: fc.Arbitrary<ReportResponse> = fc.oneof(
  fc.record({
    kind: fc.constant('settled' as const),
    batch: count,
    results: fc.array(
      fc.oneof(
        state.map((s) => ({ state: s, error: undefined })),
        itemError.map((error) => ({ error })),
      ),
      { maxLength: 4 },
    ),
    credited: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('heartbeats' as const),
    batch: count,
    answers: fc.array(
      fc.oneof(
        whole.map((leaseMs) => ({ verdict: 'renewed' as const, leaseMs })),
        cause.map((c) => ({ verdict: 'cancel' as const, cause: c })),
        fc.constant({ verdict: 'leaseLost' as const }),
        itemError.map((error) => ({ verdict: 'error' as const, error })),
      ),
      { maxLength: 4 },
    ),
  }),
  fc.constant({ kind: 'drain' as const }),
  fc.constant({ kind: 'keepAlive' as const }),
);

type Schema = Parameters<typeof fromBinary>[0];

/** Our bytes, read and written again by generated code, are the same bytes; and our reader gives back the value. */
function hasGeneratedBytes<T>(
  schema: Schema,
  values: fc.Arbitrary<T>,
  encode: (v: T) => Uint8Array,
  decode: (b: Uint8Array) => T,
): void {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = encode(value);
      const again = toBinary(schema, fromBinary(schema, bytes));
      expect(Buffer.from(again).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
      expect(encode(decode(bytes))).toEqual(bytes);
    }),
    { numRuns: 150 },
  );
}

/** Cut anywhere, it is refused or read as a shorter message, and never ends otherwise. */
function survivesCuts(bytes: Uint8Array, decode: (b: Uint8Array) => unknown): void {
  for (let end = 0; end < bytes.length; end++) {
    try {
      decode(bytes.subarray(0, end));
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(HoldfastError);
      expect((thrown as HoldfastError).code).toBe('INVALID_ARGUMENT');
    }
  }
}

describe('the hot messages have the bytes of generated code', () => {
  it('SubmitTasksRequest', () =>
    hasGeneratedBytes(SubmitTasksRequestSchema, batch, encodeSubmitBatch, decodeSubmitBatch));
  it('SubmitTasksResponse', () =>
    hasGeneratedBytes(
      SubmitTasksResponseSchema,
      fc.record({
        results: fc.array(
          fc.oneof(
            fc.record({
              id: filled,
              deduplicated: fc.boolean(),
              state,
              version: count,
              error: fc.constant(undefined),
            }),
            itemError.map((error) => ({ error })),
          ),
          { maxLength: 5 },
        ),
      }),
      encodeSubmitResult,
      decodeSubmitResult,
    ));
  it('WorkRequest', () =>
    hasGeneratedBytes(WorkRequestSchema, workRequest, encodeWorkRequest, decodeWorkRequest));
  it('WorkResponse', () =>
    hasGeneratedBytes(WorkResponseSchema, workResponse, encodeWorkResponse, decodeWorkResponse));
  it('ReportRequest', () =>
    hasGeneratedBytes(ReportRequestSchema, reportRequest, encodeReportRequest, decodeReportRequest));
  it('ReportResponse', () =>
    hasGeneratedBytes(ReportResponseSchema, reportResponse, encodeReportResponse, decodeReportResponse));
});

describe('reading what others sent', () => {
  it('refuses a message cut at any byte, and never hangs or crashes', () => {
    const [sample] = fc.sample(
      batch.filter((b) => b.items.length > 2),
      { numRuns: 1, seed: 7 },
    );
    survivesCuts(encodeSubmitBatch(sample as SubmitBatch), decodeSubmitBatch);
    const [report] = fc.sample(
      reportRequest.filter((r) => r.kind === 'settlements' && r.items.length > 2),
      { numRuns: 1, seed: 7 },
    );
    survivesCuts(encodeReportRequest(report as ReportRequest), decodeReportRequest);
  });

  it('survives any bytes whatever', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of [
          decodeSubmitBatch,
          decodeWorkRequest,
          decodeReportRequest,
          decodeLease,
          readSpec,
        ]) {
          try {
            decode(bytes);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(HoldfastError);
          }
        }
      }),
    );
  });

  it('refuses text that is not UTF-8', () => {
    expect(() => decodeSubmitBatch(Uint8Array.of(0x12, 2, 0xc3, 0x28))).toThrow(/UTF-8/);
  });

  it('skips fields that it does not know', () => {
    expect(decodeWorkRequest(Uint8Array.of(0x1a, 2, 8, 9, 0xa2, 6, 1, 0))).toEqual({
      kind: 'received',
      seq: 9,
    });
  });

  it('reads the type, its version and the ordering key of a spec without its payload', () => {
    const payload = { contentType: '', encoding: '', keyId: '', bytes: Uint8Array.of(1), reference: '' };
    const bytes = encodeSpec({ type: 'mail', typeVersion: 3, orderingKey: 'c-1', payload });
    expect(peekSpec(bytes)).toEqual({ type: 'mail', typeVersion: 3, orderingKey: 'c-1' });
    expect(new Uint8Array(readSpec(bytes).payload.bytes)).toEqual(Uint8Array.of(1));
  });

  it('reads back a lease, and refuses what is none', () => {
    const lease = {
      id: 'a-1',
      token: 1_764_000_000_123,
      version: 2,
      timeoutAtMs: 1_764_000_300_123,
      handle: 'h',
    };
    expect(decodeLease(encodeLease(lease))).toEqual(lease);
    expect(() => decodeLease(Uint8Array.of(1, 2, 3))).toThrow(/not a lease/);
    expect(() => decodeLease(new Uint8Array(3_000))).toThrow(/not a lease/);
  });
});

describe('events', () => {
  const atMs = whole;
  const token = whole;
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('submitted' as const),
      atMs,
      runAtMs: fc.option(whole, { nil: undefined }),
      deadlineAtMs: fc.option(whole, { nil: undefined }),
      lifetimeEndAtMs: fc.option(whole, { nil: undefined }),
      inLane: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('claimed' as const),
      atMs,
      token,
      attempt: count,
      worker: text,
      timeoutAtMs: whole,
    }),
    fc.record({ kind: fc.constant('claimReleased' as const), atMs, token, counted: fc.boolean() }),
    fc.record({ kind: fc.constant('leaseExpired' as const), atMs, token }),
    fc.record({
      kind: fc.constant('failed' as const),
      atMs,
      token,
      retryAtMs: whole,
      message: text,
      errorType: text,
    }),
    fc.record({ kind: fc.constant('snoozed' as const), atMs, token, runAtMs: whole }),
    fc.record({ kind: fc.constant('succeeded' as const), atMs, token, resultBytes: count }),
    fc.record({
      kind: fc.constant('died' as const),
      atMs,
      token: fc.option(token, { nil: undefined }),
      reason: fc.constantFrom('attempts', 'fatal', 'deadline', 'lifetime'),
      message: text,
      errorType: text,
      holdsLane: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('cancelRequested' as const), atMs, actor: text, message: text }),
    fc.record({
      kind: fc.constant('cancelled' as const),
      atMs,
      token: fc.option(token, { nil: undefined }),
      actor: text,
      message: text,
    }),
    fc.record({ kind: fc.constant('redriven' as const), atMs, actor: text, lifetimeEndAtMs: whole }),
  );

  it('have the bytes of generated code and come back as they were', () => {
    fc.assert(
      fc.property(event, (one) => {
        const bytes = encodeEvent(one);
        expect(toBinary(TaskEventSchema, fromBinary(TaskEventSchema, bytes))).toEqual(new Uint8Array(bytes));
        expect(decodeEvent(bytes)).toEqual(one);
      }),
    );
  });

  it('two lists put one behind the other are one list', () => {
    fc.assert(
      fc.property(fc.array(event), fc.array(event), (first, second) => {
        const joined = Buffer.concat([encodeEvents(first), encodeEvents(second)]);
        expect(decodeEvents(joined)).toEqual([...first, ...second]);
      }),
    );
  });

  it('of a kind that is not known are kept byte by byte', () => {
    const newer = toBinary(
      TaskEventSchema,
      create(TaskEventSchema, { kind: 99 as never, atMs: 5n, message: 'from the future' }),
    );
    const read = decodeEvent(newer);
    expect(read).toMatchObject({ kind: 'unknown', kindNumber: 99, atMs: 5 });
    expect(new Uint8Array(encodeEvent(read))).toEqual(new Uint8Array(newer));
  });

  it('of an older shape are upcast when read', () => {
    const older = toBinary(
      TaskEventSchema,
      create(TaskEventSchema, { kind: 6, schema: 0, atMs: 5n, message: '60' }),
    );
    const table = new Map([
      ['6/0', (e: EventFields) => ({ ...e, token: 1, runAtMs: e.atMs + Number(e.message), message: '' })],
    ]);
    expect(decodeEvent(older, table)).toEqual({ kind: 'snoozed', atMs: 5, token: 1, runAtMs: 65 });
  });
});

describe('stored options', () => {
  it('come back as they were', () => {
    const stored = {
      runAtMs: 5,
      deadlineAtMs: undefined,
      lifetimeMs: 6,
      ownLifetime: true,
      retentionMs: 7,
      windowMs: 8,
      priority: 'low' as const,
      retry: { maxAttempts: 3, baseMs: 10, factor: 1.5, maxMs: 99 },
      attemptTimeoutMs: 11,
      tags: ['a', 'b'],
      parentId: 'p',
      whenDead: 'retry' as const,
    };
    expect(decodeOptions(encodeOptions(stored))).toEqual(stored);
  });
});
