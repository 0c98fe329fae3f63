import { isDate } from 'node:util/types';
import { invalid } from '../../core/errors.ts';
import type { OptionsRequest, Priority } from '../../core/submission/submission.ts';
import type { Contract } from '../contract/task.ts';
import { type Duration, optionalMs } from '../duration.ts';

/** What a submission may say beside its input. Only the first submission of a key decides; a duplicate changes nothing. */
export interface SubmitOptions {
  /**
   * Two submissions with one key and equal input are one task; with another input they are a conflict. At most 255
   * characters. Default: the contract's `idempotencyKey(input)`; in a handler a hash of parent, type and input; else
   * a UUIDv7, which protects only this call's own retries.
   */
  readonly idempotencyKey?: string | undefined;
  /** How long the key stays taken, from acceptance. Default 24 h, 1 min to 30 days. */
  readonly window?: Duration | undefined;
  /** What a duplicate of a dead task gets: its state (`return`, the default), or the same task run again. */
  readonly whenDead?: 'return' | 'retry' | undefined;
  /** Not before so long after acceptance; at most 365 days. Not together with `runAt`. */
  readonly delay?: Duration | undefined;
  /** Not before this time; at most 365 days ahead. */
  readonly runAt?: Date | undefined;
  /** Complete by this time, else the task is dead with reason `deadline`. */
  readonly deadline?: Date | undefined;
  /** Longest time from run time to an end. Default 14 days, at most 365. */
  readonly lifetime?: Duration | undefined;
  /** How long the ended task is kept. Default 7 days, at most 365; in any case an hour after its lifetime's end. */
  readonly retention?: Duration | undefined;
  /** Default: the contract's, else no lane. */
  readonly orderingKey?: string | undefined;
  /** Default: the contract's, else `normal`. */
  readonly priority?: Priority | undefined;
  /** At most 8, of at most 64 bytes. */
  readonly tags?: readonly string[] | undefined;
  /** Default: the contract's. */
  readonly queue?: string | undefined;
  /** W3C `traceparent` of the caller. */
  readonly traceparent?: string | undefined;
}

const noTags: readonly string[] = Object.freeze([]);

function timeOf(date: Date | undefined, field: string): number | undefined {
  if (date === undefined) return undefined;
  const ms = isDate(date) ? date.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalid([{ field, description: 'is no valid Date' }]);
  return ms;
}

function retryOf({ maxAttempts, baseMs, factor, maxMs }: Contract): OptionsRequest['retry'] {
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

const retries = new WeakMap<Contract, { readonly retry: OptionsRequest['retry'] }>();

function cachedRetry(contract: Contract): OptionsRequest['retry'] {
  let known = retries.get(contract);
  if (known === undefined) {
    known = { retry: retryOf(contract) };
    retries.set(contract, known);
  }
  return known.retry;
}

/** The wire's options of one submission; `ensureSendable` has yet to look at words, tags and ids. */
export function optionsRequest(
  contract: Contract,
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
  };
}
