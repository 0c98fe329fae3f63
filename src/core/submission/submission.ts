import { defaults, limits } from '../limits.ts';
import type { Priority } from '../priority.ts';
import type { SubmittedEvent } from '../task/event.ts';

/** An idempotency key with its queue. A key is unique in a tenant's queue. */
export interface Scope {
  readonly tenant: string;
  readonly queue: string;
  readonly key: string;
}

export interface RetryPolicy {
  /** The maximum number of attempts of a task, the first one included. */
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** The options of an accepted submission: checked, with defaults, and with `runAtMs` in place of a delay. */
export interface Options {
  readonly runAtMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  /**
   * The lifetime of the task in ms. It begins at the task's scheduled start time, or at acceptance if the
   * task has none.
   */
  readonly lifetimeMs: number;
  /**
   * True if the submission set the lifetime. The sweep then finds the task at the end of the lifetime, by a
   * due entry.
   */
  readonly ownLifetime: boolean;
  readonly retentionMs: number;
  readonly windowMs: number;
  readonly priority: Priority;
  readonly retry: RetryPolicy;
  readonly attemptTimeoutMs: number;
  readonly tags: readonly string[];
  readonly parentId: string | undefined;
  readonly whenDead: 'return' | 'redrive';
  /** The number of lost workers after which the task is dead. */
  readonly maxLosses: number;
}

/** A submission as it was accepted. It never changes. */
export interface Submission {
  readonly scope: Scope;
  /** The bytes of a `holdfast.v1.Spec`, as they were received. Holdfast never encodes a spec again. */
  readonly spec: Uint8Array;
  /** The task type, copied from `spec` for indexes. */
  readonly type: string;
  readonly typeVersion: number;
  /** The ordering key in `spec`; undefined if the task has none. */
  readonly orderingKey: string | undefined;
  readonly options: Options;
  /** A W3C traceparent, or empty. It is not part of the spec, so that equal requests have equal specs. */
  readonly traceparent: string;
  readonly acceptedAtMs: number;
  /** The expiry of the task. After this time no read returns the task. */
  readonly expiresAtMs: number;
  readonly submitted: SubmittedEvent;
}

/**
 * Returns when a task's lifetime ends. The lifetime begins at the scheduled start time or at acceptance,
 * whichever is later.
 */
export function lifetimeEnd(options: Options, acceptedAtMs: number): number {
  return Math.max(options.runAtMs ?? 0, acceptedAtMs) + options.lifetimeMs;
}

/**
 * Returns when a task expires: the time after which its data is deleted, fixed at submission. The expiry is
 * at least an hour after the lifetime's end; otherwise the task would expire before it is recorded as dead,
 * and the next task of its lane would never be dispatched.
 */
export function expiry(options: Options, acceptedAtMs: number): number {
  const endAtMs = lifetimeEnd(options, acceptedAtMs);
  const keptUntilMs = Math.max(acceptedAtMs + options.windowMs, endAtMs) + options.retentionMs;
  return Math.max(keptUntilMs, endAtMs + limits.endBeforeExpiryMs);
}

/** Returns the first event of a task. */
export function submittedEvent(
  options: Options,
  acceptedAtMs: number,
  orderingKey: string | undefined,
): SubmittedEvent {
  const scheduled = options.runAtMs !== undefined && options.runAtMs > acceptedAtMs;
  return {
    kind: 'submitted',
    atMs: acceptedAtMs,
    runAtMs: scheduled ? options.runAtMs : undefined,
    deadlineAtMs: options.deadlineAtMs,
    lifetimeEndAtMs: options.ownLifetime || scheduled ? lifetimeEnd(options, acceptedAtMs) : undefined,
    inLane: orderingKey !== undefined,
  };
}

/** The options of a submission as its caller sets them. An absent option takes its default. */
export interface OptionsRequest {
  readonly runAtMs: number | undefined;
  /** The delay in ms, counted from acceptance. A caller sets a delay or `runAtMs`, not both. */
  readonly delayMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  readonly lifetimeMs: number | undefined;
  readonly retentionMs: number | undefined;
  readonly windowMs: number | undefined;
  readonly priority: Priority | undefined;
  readonly retry: Partial<RetryPolicy> | undefined;
  readonly attemptTimeoutMs: number | undefined;
  readonly tags: readonly string[];
  readonly parentId: string | undefined;
  readonly whenDead: 'return' | 'redrive' | undefined;
  readonly maxLosses: number | undefined;
}

/** Whether other submissions may well have the same options: these have no time and no parent, which few tasks share. */
export function isRepeatable(options: Options | OptionsRequest): boolean {
  const delays = 'delayMs' in options && options.delayMs !== undefined;
  const { runAtMs, deadlineAtMs, parentId } = options;
  return !delays && runAtMs === undefined && deadlineAtMs === undefined && parentId === undefined;
}

/**
 * Returns the options of a submission with all defaults filled in and with a scheduled start time in place of
 * a delay. The caller must check the limits before this call.
 */
export function resolveOptions(requested: OptionsRequest, nowMs: number): Options {
  const runAtMs = requested.delayMs === undefined ? requested.runAtMs : nowMs + requested.delayMs;
  return {
    runAtMs,
    deadlineAtMs: requested.deadlineAtMs,
    lifetimeMs: requested.lifetimeMs ?? defaults.lifetimeMs,
    ownLifetime: requested.lifetimeMs !== undefined,
    retentionMs: requested.retentionMs ?? defaults.retentionMs,
    windowMs: requested.windowMs ?? defaults.windowMs,
    priority: requested.priority ?? 'normal',
    retry: {
      maxAttempts: requested.retry?.maxAttempts ?? defaults.maxAttempts,
      baseMs: requested.retry?.baseMs ?? defaults.backoffBaseMs,
      factor: requested.retry?.factor ?? defaults.backoffFactor,
      maxMs: requested.retry?.maxMs ?? defaults.backoffMaxMs,
    },
    attemptTimeoutMs: requested.attemptTimeoutMs ?? defaults.attemptTimeoutMs,
    tags: requested.tags,
    parentId: requested.parentId,
    whenDead: requested.whenDead ?? 'return',
    maxLosses: requested.maxLosses ?? defaults.maxLosses,
  };
}
