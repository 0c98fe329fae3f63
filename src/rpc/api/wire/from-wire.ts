/** Requests that came as generated messages, as the plain values of the hot ones. 0 and empty mean absent. */
import { toBinary } from '@bufbuild/protobuf';
import { noOptions } from '../../../core/codec/options.ts';
import { emptyPayload } from '../../../core/codec/payload.ts';
import { encodeSpec } from '../../../core/codec/spec.ts';
import { type Code, codes, HoldfastError, type Reason } from '../../../core/errors.ts';
import type { HeartbeatItem, ItemError, Settlement, SubmitItem } from '../../../core/messages.ts';
import type { OptionsRequest, RetryPolicy } from '../../../core/submission/submission.ts';
import { Code as CodeNumbers } from '../../gen/google/rpc/code_pb.ts';
import { type Payload, PayloadSchema, type Spec, type SubmitOptions } from '../../gen/holdfast/v1/task_pb.ts';
import type {
  ItemError as WireItemError,
  SubmitItem as WireSubmitItem,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import type { HeartbeatItem as WireHeartbeatItem } from '../../gen/holdfast/v1/worker_service_pb.ts';
import { priorityNumbers, whenDeadNumbers, wordOf } from './enums.ts';

/** Undefined where it is 0. Past 2^53 it loses digits, which no limit lets through anyway. */
export function number(value: bigint | number): number | undefined {
  const plain = Number(value);
  return plain === 0 ? undefined : plain;
}

function retryOf(options: SubmitOptions): Partial<RetryPolicy> | undefined {
  const { retry } = options;
  if (retry === undefined) return undefined;
  const asked: { -readonly [K in keyof RetryPolicy]?: RetryPolicy[K] } = {};
  if (retry.maxAttempts !== 0) asked.maxAttempts = retry.maxAttempts;
  if (retry.baseMs !== 0n) asked.baseMs = Number(retry.baseMs);
  if (retry.factor !== 0) asked.factor = retry.factor;
  if (retry.maxMs !== 0n) asked.maxMs = Number(retry.maxMs);
  return asked;
}

export function optionsFromWire(options: SubmitOptions | undefined): OptionsRequest {
  if (options === undefined) return noOptions;
  return {
    runAtMs: number(options.runAtMs),
    delayMs: number(options.delayMs),
    deadlineAtMs: number(options.deadlineAtMs),
    lifetimeMs: number(options.lifetimeMs),
    retentionMs: number(options.retentionMs),
    windowMs: number(options.windowMs),
    priority: wordOf(priorityNumbers, options.priority),
    retry: retryOf(options),
    attemptTimeoutMs: number(options.attemptTimeoutMs),
    tags: options.tags,
    parentId: options.parentId === '' ? undefined : options.parentId,
    whenDead: wordOf(whenDeadNumbers, options.whenDead),
  };
}

function specBytes(spec: Spec | undefined): Uint8Array {
  if (spec === undefined) return new Uint8Array(0);
  const { type, typeVersion, orderingKey, payload } = spec;
  return encodeSpec({ type, typeVersion, orderingKey, payload: payload ?? emptyPayload });
}

export function itemFromWire(item: WireSubmitItem): SubmitItem {
  return {
    key: item.idempotencyKey,
    spec: specBytes(item.spec),
    options: optionsFromWire(item.options),
    traceparent: item.traceparent,
  };
}

export function heartbeatFromWire({ lease, progress }: WireHeartbeatItem): HeartbeatItem {
  if (progress === undefined) return { lease, progress };
  return { lease, progress: { fraction: progress.fraction, note: progress.note } };
}

export function successFromWire(lease: Uint8Array, result: Payload | undefined): Settlement {
  return {
    lease,
    outcome: 'succeeded',
    result: result === undefined ? undefined : toBinary(PayloadSchema, result),
    message: '',
    errorType: '',
    afterMs: undefined,
  };
}

/** An item's error as what a call of that item alone rejects with. */
export function errorOf(item: ItemError): HoldfastError {
  const { code, reason, message, help, taskId, retryAfterMs, violations } = item;
  return new HoldfastError(code, reason, message, { help, taskId, retryAfterMs, violations });
}

export function errorFromWire(error: WireItemError): HoldfastError {
  const code: Code = codes.find((name) => CodeNumbers[name] === error.code) ?? 'INTERNAL';
  return new HoldfastError(code, error.reason as Reason, error.message, {
    help: error.help || undefined,
    taskId: error.taskId || undefined,
    retryAfterMs: number(error.retryAfterMs),
    violations: error.violations.map(({ field, description }) => ({ field, description })),
  });
}
