import { defaults, limits } from '../limits.ts';
import type { Submitted } from '../task/event.ts';

export type Priority = 'high' | 'normal' | 'low';
export const priorities: readonly Priority[] = ['high', 'normal', 'low'];

/** Whose key it is: a key is unique in a tenant's queue. */
export interface Scope {
  readonly tenant: string;
  readonly queue: string;
  readonly key: string;
}

export interface RetryPolicy {
  /** The first attempt included. */
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** A submission's options as resolved at acceptance: defaults filled in, lengths checked, `delay` made a time. */
export interface Options {
  readonly runAtMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  /** From the run time (else acceptance) on. */
  readonly lifetimeMs: number;
  /** The submission named the lifetime itself, so it is a due entry of its own. */
  readonly ownLifetime: boolean;
  readonly retentionMs: number;
  readonly windowMs: number;
  readonly priority: Priority;
  readonly retry: RetryPolicy;
  readonly attemptTimeoutMs: number;
  readonly tags: readonly string[];
  readonly parentId: string | undefined;
  readonly whenDead: 'return' | 'retry';
}

/** What was accepted; immutable. */
export interface Submission {
  readonly scope: Scope;
  /** The bytes of a `holdfast.v1.Spec` as they came: stored, compared and handed on, never re-encoded. */
  readonly spec: Uint8Array;
  /** Read out of `spec` once, for indexes. */
  readonly type: string;
  readonly typeVersion: number;
  /** The lane, where the spec has an ordering key. */
  readonly orderingKey: string | undefined;
  readonly options: Options;
  /** W3C traceparent, or empty. Not part of the spec, so that a duplicate is judged by comparing bytes. */
  readonly traceparent: string;
  readonly acceptedAtMs: number;
  /** To every reader the task does not exist past this time. */
  readonly expiresAtMs: number;
  readonly submitted: Submitted;
}

/** When a task's default or own lifetime is over: from its run time on, never from before its acceptance. */
export function lifetimeEnd(options: Options, acceptedAtMs: number): number {
  return Math.max(options.runAtMs ?? 0, acceptedAtMs) + options.lifetimeMs;
}

/**
 * Fixed at submission: everything of the task is gone after this. A task that expired as its lifetime ended would never be
 * dead, and in a lane nobody would ring the next one.
 */
export function expiry(options: Options, acceptedAtMs: number): number {
  const endAtMs = lifetimeEnd(options, acceptedAtMs);
  const keptUntilMs = Math.max(acceptedAtMs + options.windowMs, endAtMs) + options.retentionMs;
  return Math.max(keptUntilMs, endAtMs + limits.endBeforeExpiryMs);
}

/** The first event, out of what was asked for. */
export function submittedEvent(
  options: Options,
  acceptedAtMs: number,
  orderingKey: string | undefined,
): Submitted {
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

/** Options as a caller asks for them: what is absent takes its default. */
export interface OptionsRequest {
  readonly runAtMs: number | undefined;
  /** From acceptance on; not together with `runAtMs`. */
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
  readonly whenDead: 'return' | 'retry' | undefined;
}

/** Defaults filled in and `delay` made a time. The fields were checked against the limits before. */
export function resolveOptions(asked: OptionsRequest, nowMs: number): Options {
  const runAtMs = asked.delayMs === undefined ? asked.runAtMs : nowMs + asked.delayMs;
  return {
    runAtMs,
    deadlineAtMs: asked.deadlineAtMs,
    lifetimeMs: asked.lifetimeMs ?? defaults.lifetimeMs,
    ownLifetime: asked.lifetimeMs !== undefined,
    retentionMs: asked.retentionMs ?? defaults.retentionMs,
    windowMs: asked.windowMs ?? defaults.windowMs,
    priority: asked.priority ?? 'normal',
    retry: {
      maxAttempts: asked.retry?.maxAttempts ?? defaults.maxAttempts,
      baseMs: asked.retry?.baseMs ?? defaults.backoffBaseMs,
      factor: asked.retry?.factor ?? defaults.backoffFactor,
      maxMs: asked.retry?.maxMs ?? defaults.backoffMaxMs,
    },
    attemptTimeoutMs: asked.attemptTimeoutMs ?? defaults.attemptTimeoutMs,
    tags: asked.tags,
    parentId: asked.parentId,
    whenDead: asked.whenDead ?? 'return',
  };
}
