/** What each message's fields must be: one table a message, limits from core/limits.ts. */
import { decodePayload } from '../../../core/codec/payload.ts';
import { readSpec, type Spec } from '../../../core/codec/spec.ts';
import { asHoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type {
  HandledTypeMessage,
  HeartbeatItem,
  ReportRequest,
  Settlement,
  SubmitItem,
  WorkRequest,
} from '../../../core/messages.ts';
import { type OptionsRequest, priorities, type RetryPolicy } from '../../../core/submission/submission.ts';
import { payloadOf } from './payload-rule.ts';
import { blob, count, fraction, length, name, oneOf, text, time, told, utf8, whole } from './rules.ts';
import {
  type Check,
  type EveryField,
  type Findings,
  field,
  list,
  message,
  optional,
  path,
} from './validate.ts';

const uint32 = 4_294_967_295;

export const tenant = field(name('optional'));
export const queue = field(name());
export const taskId = field(text(limits.keyChars, 'required'));
export const tags = list(count(0, limits.tags, 'tags'), field(utf8(limits.tagBytes)));

/** Bytes of a message within the message: read, then checked; bytes that cannot be read are a violation. */
function packed<M>(read: (bytes: Uint8Array) => M, check: Check<M>): Check<Uint8Array> {
  return (bytes, parent, at, findings) => {
    let value: M;
    try {
      value = read(bytes);
    } catch (thrown) {
      findings.add(parent, at, asHoldfastError(thrown).message);
      return;
    }
    check(value, parent, at, findings);
  };
}

const spec = message<Spec>({
  type: field(name()),
  typeVersion: field(whole(1, uint32)),
  orderingKey: optional(field(text(limits.keyChars))),
  payload: payloadOf(limits.payloadBytes),
});

const retry = message<Partial<RetryPolicy>>({
  maxAttempts: optional(field(whole(1, limits.maxAttempts))),
  baseMs: optional(field(length(0, limits.backoffMaxMs))),
  factor: optional(
    field((factor: number) =>
      factor >= 1 && Number.isFinite(factor) ? undefined : `is ${factor}; at least 1`,
    ),
  ),
  maxMs: optional(field(length(0, limits.backoffMaxMs))),
} satisfies EveryField<Partial<RetryPolicy>>);

function runTime(options: OptionsRequest, at: string, findings: Findings): void {
  const { runAtMs, delayMs } = options;
  if (runAtMs === undefined) return;
  if (delayMs !== undefined) findings.add(at, 'delayMs', 'is given together with runAtMs; give one of them');
  if (runAtMs > findings.nowMs + limits.runAheadMs) {
    findings.add(at, 'runAtMs', `is more than ${told(limits.runAheadMs)} ahead`);
  }
}

export const options = message<OptionsRequest>(
  {
    runAtMs: optional(field(time)),
    delayMs: optional(field(length(0, limits.runAheadMs))),
    deadlineAtMs: optional(field(time)),
    lifetimeMs: optional(field(length(1, limits.lifetimeMaxMs))),
    retentionMs: optional(field(length(1, limits.retentionMaxMs))),
    windowMs: optional(field(length(limits.windowMinMs, limits.windowMaxMs))),
    priority: optional(field(oneOf(priorities))),
    retry: optional(retry),
    attemptTimeoutMs: optional(field(length(1, limits.attemptTimeoutMaxMs))),
    tags,
    parentId: optional(field(text(limits.keyChars))),
    whenDead: optional(field(oneOf(['return', 'retry']))),
  } satisfies EveryField<OptionsRequest>,
  runTime,
);

export const submitItem: Check<SubmitItem> = (item, parent, at, findings) => {
  const here = at === '' ? parent : path(parent, at);
  key(item.key, here, 'idempotencyKey', findings);
  packedSpec(item.spec, here, 'spec', findings);
  options(item.options, here, 'options', findings);
};
const key = field(text(limits.keyChars));
const packedSpec = packed(readSpec, spec);

export const batchCount = count(1, limits.batchItems, 'items');
export const lease = field(blob(limits.leaseBytes));
const result = packed(decodePayload, payloadOf(limits.resultBytes));

function wait({ outcome, afterMs }: Settlement, at: string, findings: Findings): void {
  const check = outcome === 'snoozed' ? snooze : backoff;
  if (afterMs !== undefined) check(afterMs, at, 'afterMs', findings);
  else if (outcome === 'snoozed') findings.add(at, 'afterMs', 'is missing; a snooze says how long');
}
const snooze = field(length(1, limits.runAheadMs));
const backoff = field(length(0, limits.backoffMaxMs));

/** Message and error type are cut, never refused: a settlement must not fail for its words. */
export const settlement = message<Settlement>(
  {
    lease,
    outcome: field(oneOf(['succeeded', 'failed', 'fatal', 'snoozed', 'released', 'cancelled'])),
    result: optional(result),
  },
  wait,
);

const progress = message<NonNullable<HeartbeatItem['progress']>>({
  fraction: field(fraction),
  note: field(text(limits.progressNoteChars)),
});
export const heartbeatItem = message<HeartbeatItem>({ lease, progress: optional(progress) });

export const worker = {
  tenant,
  workerName: field(text(limits.keyChars, 'required')),
  workerId: field(text(limits.nameChars, 'required')),
  queues: list(count(1, limits.workerQueues, 'queues'), queue),
  types: list(
    count(1, limits.workerTypes, 'types'),
    message<HandledTypeMessage>({ type: field(name()), maxVersion: field(whole(0, uint32)) }),
  ),
} as const;

const credits = {
  tasks: field(whole(0, limits.inFlightTasks, 'tasks')),
  bytes: field(whole(0, uint32, 'bytes')),
} as const;

type Hello = Extract<WorkRequest, { kind: 'hello' }>;
type Credit = Extract<WorkRequest, { kind: 'credit' }>;
export const hello = message<Hello>({ ...worker, ...credits });
export const credit = message<Credit>(credits);

type ReportHello = Extract<ReportRequest, { kind: 'hello' }>;
export const reportHello = message<ReportHello>({
  tenant,
  sessionId: field(text(limits.nameChars)),
  workerId: worker.workerId,
});
