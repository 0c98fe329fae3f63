import { isDate } from 'node:util/types';
import { invalid } from '../../core/errors.ts';
import type { Priority } from '../../core/priority.ts';
import type { OptionsRequest } from '../../core/submission/submission.ts';
import type { TaskContract } from '../contract/task.ts';
import { type Duration, optionalMs } from '../duration.ts';

/**
 * Options of one submission. They apply to the task that the submission creates; a duplicate of an existing key changes
 * nothing in the existing task.
 */
export interface SubmitOptions {
  /**
   * The idempotency key, at most 255 characters. Two submissions with the same key and an equal input become one
   * task; with another input the second one fails with KEY_REUSED. Default: the task type's `idempotencyKey(input)`;
   * without that, in a handler a hash of parent id, task type and input, and elsewhere a random UUID, which protects
   * only against duplicates by the retries of this call.
   */
  readonly idempotencyKey?: string | undefined;
  /** How long the idempotency key is reserved, from the acceptance of the task, 1 min to 30 days. Default: 24 h. */
  readonly window?: Duration | undefined;
  /**
   * The effect of submitting a duplicate of a dead task. `return` answers with the dead task; `redrive` redrives it, so
   * that it runs again. Default: `return`.
   */
  readonly whenDead?: 'return' | 'redrive' | undefined;
  /**
   * Delays the first attempt by this time from acceptance, at most 365 days. Not allowed together with `runAt`.
   * Default: no delay.
   */
  readonly delay?: Duration | undefined;
  /**
   * The earliest time of the first attempt, at most 365 days ahead. Not allowed together with `delay`. Default: now.
   */
  readonly runAt?: Date | undefined;
  /** The task must end by this time, otherwise it is dead with reason `deadline`. Default: no deadline. */
  readonly deadline?: Date | undefined;
  /**
   * The longest time from the task's scheduled start time (by default its acceptance) to its end, at most 365 days;
   * after this time the task is dead with reason `lifetime`. Default: 14 days.
   */
  readonly lifetime?: Duration | undefined;
  /**
   * How long the task is kept after its end, at most 365 days. Default: 7 days. A task is kept at least until one hour
   * after the end of its lifetime.
   */
  readonly retention?: Duration | undefined;
  /**
   * The ordering key, at most 255 characters: tasks with the same ordering key run one at a time, in the order in which
   * they were accepted. Default: the task type's `orderingKey(input)`, otherwise none.
   */
  readonly orderingKey?: string | undefined;
  /** The priority: `high`, `normal` or `low`. Default: the task type's, otherwise `normal`. */
  readonly priority?: Priority | undefined;
  /** Labels to list and filter tasks by: at most 8, each of at most 64 bytes. Default: none. */
  readonly tags?: readonly string[] | undefined;
  /** The queue of the task. Default: the queue of the task type. */
  readonly queue?: string | undefined;
  /** The W3C `traceparent` of the caller; handlers find it in their context and their log lines. Default: none. */
  readonly traceparent?: string | undefined;
}

const noTags: readonly string[] = Object.freeze([]);

function timeOf(date: Date | undefined, field: string): number | undefined {
  if (date === undefined) return undefined;
  const ms = isDate(date) ? date.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalid([{ field, description: 'is not a valid Date' }]);
  return ms;
}

function retryOf({ maxAttempts, baseMs, factor, maxMs }: TaskContract): OptionsRequest['retry'] {
  if (maxAttempts === undefined && baseMs === undefined && factor === undefined && maxMs === undefined) {
    return undefined;
  }
  return {
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...(baseMs !== undefined && { baseMs }),
    ...(factor !== undefined && { factor }),
    ...(maxMs !== undefined && { maxMs }),
  };
}

const retries = new WeakMap<TaskContract, { readonly retry: OptionsRequest['retry'] }>();

function cachedRetry(contract: TaskContract): OptionsRequest['retry'] {
  let cached = retries.get(contract);
  if (cached === undefined) {
    cached = { retry: retryOf(contract) };
    retries.set(contract, cached);
  }
  return cached.retry;
}

/**
 * Returns the wire form of a submission's options. It checks dates and durations; `ensureSendable` must check the
 * strings, tags and ids.
 */
export function optionsRequest(
  contract: TaskContract,
  options: SubmitOptions,
  parentId: string | undefined,
): OptionsRequest {
  const { tags = noTags, delay, runAt } = options;
  if (delay !== undefined && runAt !== undefined) {
    throw invalid([{ field: 'delay', description: 'is given together with runAt; give one of them' }]);
  }
  return {
    runAtMs: timeOf(runAt, 'runAt'),
    delayMs: optionalMs(delay, 'delay'),
    deadlineAtMs: timeOf(options.deadline, 'deadline'),
    lifetimeMs: optionalMs(options.lifetime, 'lifetime'),
    retentionMs: optionalMs(options.retention, 'retention'),
    windowMs: optionalMs(options.window, 'window'),
    priority: options.priority ?? contract.priority,
    retry: cachedRetry(contract),
    attemptTimeoutMs: contract.timeoutMs,
    tags,
    parentId,
    whenDead: options.whenDead,
    maxLosses: contract.maxLosses,
  };
}
