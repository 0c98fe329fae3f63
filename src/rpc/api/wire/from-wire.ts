/**
 * Converts generated protobuf requests to the plain values of the core. A field that is 0 or empty counts as absent.
 */
import { toBinary } from '@bufbuild/protobuf';
import { noOptions } from '../../../core/codec/options.ts';
import { emptyPayload } from '../../../core/codec/payload.ts';
import { encodeSpec } from '../../../core/codec/spec.ts';
import { type Code, codes, HoldfastError, type Reason } from '../../../core/errors.ts';
import type { HeartbeatItem, ItemError, Settlement, SubmitItem } from '../../../core/messages.ts';
import type { OptionsRequest, RetryPolicy } from '../../../core/submission/submission.ts';
import { priorityNumbers, whenDeadNumbers } from '../../../core/wire-numbers.ts';
import { Code as CodeNumbers } from '../../gen/google/rpc/code_pb.ts';
import { type Payload, PayloadSchema, type Spec, type SubmitOptions } from '../../gen/holdfast/v1/task_pb.ts';
import type {
  ItemError as WireItemError,
  SubmitItem as WireSubmitItem,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import type { HeartbeatItem as WireHeartbeatItem } from '../../gen/holdfast/v1/worker_service_pb.ts';
import { wordOf } from './enums.ts';

/**
 * Converts a protobuf integer to a number, and 0 to undefined. An integer above 2^53 loses digits, but every limit is
 * far below 2^53.
 */
export function number(value: bigint | number): number | undefined {
  const plain = Number(value);
  return plain === 0 ? undefined : plain;
}

function retryOf(options: SubmitOptions): Partial<RetryPolicy> | undefined {
  const { retry } = options;
  if (retry === undefined) return undefined;
  const policy: { -readonly [K in keyof RetryPolicy]?: RetryPolicy[K] } = {};
  if (retry.maxAttempts !== 0) policy.maxAttempts = retry.maxAttempts;
  if (retry.baseMs !== 0n) policy.baseMs = Number(retry.baseMs);
  if (retry.factor !== 0) policy.factor = retry.factor;
  if (retry.maxMs !== 0n) policy.maxMs = Number(retry.maxMs);
  return policy;
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
    maxLosses: number(options.maxLosses),
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

export function heartbeatFromWire({ lease, begun, progress }: WireHeartbeatItem): HeartbeatItem {
  if (progress === undefined) return { lease, begun, progress };
  return { lease, begun, progress: { fraction: progress.fraction, note: progress.note } };
}

export function successFromWire(lease: Uint8Array, result: Payload | undefined): Settlement {
  return {
    lease,
    outcome: 'succeeded',
    result: result === undefined ? undefined : toBinary(PayloadSchema, result),
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: true,
  };
}

/** Converts the error of a batch item to the error of a call with that item alone. */
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
