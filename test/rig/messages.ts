/** Values of every hot message, for properties. */
import fc from 'fast-check';
import { encodePayload } from '../../src/core/codec/payload.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { TaskEvent } from '../../src/core/event.ts';
import type {
  ItemError,
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../../src/core/messages.ts';
import type { Options } from '../../src/core/submission.ts';

export const text = fc.string({ unit: 'grapheme', maxLength: 40 });
export const filled = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
export const whole = fc.integer({ min: 1, max: 2 ** 48 });
export const count = fc.integer({ min: 1, max: 2 ** 31 - 1 });
export const blob = fc.uint8Array({ minLength: 1, maxLength: 400 });

export const spec = fc
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

export const payload = blob.map((bytes) =>
  encodePayload({ contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' }),
);

export const options = fc.record({
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

export const itemError: fc.Arbitrary<ItemError> = fc.record({
  code: fc.constantFrom('NOT_FOUND', 'ALREADY_EXISTS', 'UNAVAILABLE'),
  reason: fc.constantFrom('KEY_REUSED', 'TASK_NOT_FOUND', 'BUG'),
  message: filled,
  help: fc.option(filled, { nil: undefined }),
  taskId: fc.option(filled, { nil: undefined }),
  retryAfterMs: fc.option(whole, { nil: undefined }),
  violations: fc.array(fc.record({ field: filled, description: filled }), { maxLength: 3 }),
});

export const batch: fc.Arbitrary<SubmitBatch> = fc.record({
  tenant: text,
  queue: text,
  items: fc.array(fc.record({ key: text, spec, options, traceparent: text }), { maxLength: 5 }),
});

export const state = fc.constantFrom('scheduled', 'ready', 'running', 'succeeded', 'dead', 'cancelled');
export const handled = fc.record({ type: filled, maxVersion: count });
export const assignment = fc.record({
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
export const cause = fc.constantFrom('cancelled', 'deadline', 'leaseLost', 'timeout');
export const progress = fc.record({ fraction: fc.double({ min: 0.01, max: 1, noNaN: true }), note: text });

export const workRequest: fc.Arbitrary<WorkRequest> = fc.oneof(
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
export const workResponse: fc.Arbitrary<WorkResponse> = fc.oneof(
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
export const settlement = fc.record({
  lease: blob,
  outcome: fc.constantFrom('succeeded', 'failed', 'fatal', 'snoozed', 'released', 'cancelled'),
  result: fc.option(payload, { nil: undefined }),
  message: text,
  errorType: text,
  afterMs: fc.option(whole, { nil: undefined }),
});
export const reportRequest: fc.Arbitrary<ReportRequest> = fc.oneof(
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
export const reportResponse: fc.Arbitrary<ReportResponse> = fc.oneof(
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

export const submitResult: fc.Arbitrary<SubmitBatchResult> = fc.record({
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
});

export const storedOptions: fc.Arbitrary<Options> = fc.record({
  runAtMs: fc.option(whole, { nil: undefined }),
  deadlineAtMs: fc.option(whole, { nil: undefined }),
  lifetimeMs: whole,
  ownLifetime: fc.boolean(),
  retentionMs: whole,
  windowMs: whole,
  priority: fc.constantFrom('high', 'normal', 'low'),
  retry: fc.record({
    maxAttempts: count,
    baseMs: whole,
    factor: fc.double({ min: 0, max: 9, noNaN: true }),
    maxMs: whole,
  }),
  attemptTimeoutMs: whole,
  tags: fc.array(text, { maxLength: 8 }),
  parentId: fc.option(filled, { nil: undefined }),
  whenDead: fc.constantFrom('return', 'retry'),
});

const atMs = whole;
const token = whole;
export const event: fc.Arbitrary<Exclude<TaskEvent, { kind: 'unknown' }>> = fc.oneof(
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
