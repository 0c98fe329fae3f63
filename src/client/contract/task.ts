import type { StandardSchemaV1 } from '@standard-schema/spec';
import { invalid, type Violation } from '../../core/errors.ts';
import { defaults, limits } from '../../core/limits.ts';
import type { Priority } from '../../core/submission/submission.ts';
import { type Duration, durationMs, optionalMs } from '../duration.ts';
import type { JsonInput } from './json-leaves.ts';

type Schema = StandardSchemaV1;
export type InputOf<T> = T extends Task<string, infer I, Schema> ? StandardSchemaV1.InferInput<I> : never;
export type ResultOf<T> = T extends Task<string, Schema, infer O> ? StandardSchemaV1.InferOutput<O> : never;

/** How failed attempts are tried again. */
export interface Retry {
  /** Attempts in all, the first included. Default 5, at most 1,000. */
  readonly maxAttempts?: number | undefined;
  /**
   * Exponential with full jitter: the wait after attempt n is random in 0 … min(max, base × factor^(n−1)). Default
   * base 1 s, factor 2, max 5 min; at most 30 days. Or a function, called at the worker, that says how long.
   */
  readonly backoff?:
    | { readonly base?: Duration; readonly factor?: number; readonly max?: Duration }
    | ((attempt: number, error: unknown) => Duration)
    | undefined;
}

export interface TaskOptions<I extends Schema> {
  /** `[A-Za-z0-9._-]{1,64}`. Default `default`. */
  readonly queue?: string;
  readonly retry?: Retry;
  /** Longest length of one attempt. Default 5 min, at most 11 h. */
  readonly timeout?: Duration;
  /** Default `normal`. */
  readonly priority?: Priority;
  /** Version of the input's contract, from 1. Raise it when the input changes; a worker is never given a newer one. */
  readonly version?: number;
  /** From each older version to the next: what is waiting is upgraded at the worker, before it is validated. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape of an older version is not a type any more.
  readonly upgrade?: Readonly<Record<number, (old: any) => unknown>>;
  /** The key that makes two submissions one task. At most 255 characters. The caller's own key goes before it. */
  readonly idempotencyKey?: (input: StandardSchemaV1.InferInput<I>) => string;
  /** Tasks that share an ordering key run one at a time, in the order of their acceptance. At most 255 characters. */
  readonly orderingKey?: (input: StandardSchemaV1.InferInput<I>) => string;
}

/** A task's options with their defaults and in milliseconds. */
export interface Contract {
  readonly queue: string;
  readonly version: number;
  readonly maxAttempts: number | undefined;
  readonly baseMs: number | undefined;
  readonly factor: number | undefined;
  readonly maxMs: number | undefined;
  readonly backoff: ((attempt: number, error: unknown) => Duration) | undefined;
  readonly timeoutMs: number | undefined;
  readonly priority: Priority | undefined;
  readonly upgrade: Readonly<Record<number, (old: unknown) => unknown>>;
  readonly idempotencyKey: ((input: unknown) => string) | undefined;
  readonly orderingKey: ((input: unknown) => string) | undefined;
}

/** A task type: what its submitters and its workers share. Made by `defineTask`. */
export interface Task<N extends string = string, I extends Schema = Schema, O extends Schema = Schema> {
  readonly name: N;
  readonly input: I;
  /** Undefined at run time: no result. */
  readonly output: O | undefined;
  readonly contract: Contract;
}

/** Types without a schema library: nothing is checked at run time. */
export function typed<T>(): StandardSchemaV1<T, T> {
  return { '~standard': { version: 1, vendor: 'holdfast', validate: (value) => ({ value: value as T }) } };
}

/**
 * Defines a task type. Holds no server code, so submitters may import it.
 *
 * @param name `[A-Za-z0-9._-]{1,64}`; with the queue it is what ties submissions to handlers.
 * @throws HoldfastError INVALID_ARGUMENT with every option that is wrong.
 */
export function defineTask<
  const N extends string,
  I extends Schema,
  O extends Schema = StandardSchemaV1<void, void>,
>(
  name: N,
  options: { readonly input: I & JsonInput<I>; readonly output?: O & JsonInput<O> } & TaskOptions<I>,
): Task<N, I, O> {
  const contract = contractOf(options as TaskOptions<Schema>);
  const violations = problems(name, contract);
  if (violations.length > 0) throw invalid(violations);
  return Object.freeze({ name, input: options.input, output: options.output, contract });
}

function contractOf(options: TaskOptions<Schema>): Contract {
  const { queue = 'default', version = defaults.typeVersion, retry = {}, timeout, priority } = options;
  const { maxAttempts, backoff } = retry;
  const curve = typeof backoff === 'function' ? undefined : backoff;
  return Object.freeze({
    queue,
    version,
    maxAttempts,
    baseMs: optionalMs(curve?.base, 'retry.backoff.base'),
    factor: curve?.factor,
    maxMs: optionalMs(curve?.max, 'retry.backoff.max'),
    backoff: typeof backoff === 'function' ? backoff : undefined,
    timeoutMs: timeout === undefined ? undefined : durationMs(timeout, 'timeout'),
    priority,
    upgrade: options.upgrade ?? {},
    idempotencyKey: options.idempotencyKey as Contract['idempotencyKey'],
    orderingKey: options.orderingKey as Contract['orderingKey'],
  });
}

const namePattern = /^[A-Za-z0-9._-]{1,64}$/;

/** What is wrong with a name, or undefined. */
export function badName(field: string, name: string): Violation | undefined {
  if (namePattern.test(name)) return undefined;
  return {
    field,
    description: `is '${name}'; 1 to ${limits.nameChars} of A-Z, a-z, 0-9, dot, underscore, hyphen`,
  };
}

function outside(field: string, value: number | undefined, min: number, max: number): Violation | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return undefined;
  return { field, description: `is ${value}; a whole number from ${min} to ${max.toLocaleString('en')}` };
}

function badFactor(factor: number | undefined): Violation | undefined {
  if (factor === undefined || (Number.isFinite(factor) && factor >= 1)) return undefined;
  return { field: 'retry.backoff.factor', description: `is ${factor}; a number from 1` };
}

function missingUpgrades({ version, upgrade }: Contract): Violation[] {
  return Object.keys(upgrade)
    .map(Number)
    .filter((from) => !(Number.isInteger(from) && from >= 1 && from < version))
    .map((from) => ({
      field: `upgrade.${from}`,
      description: `upgrades from ${from}, but this is version ${version}`,
    }));
}

function problems(name: string, contract: Contract): Violation[] {
  const found = [
    badName('name', name),
    badName('queue', contract.queue),
    outside('version', contract.version, 1, 4_294_967_295),
    outside('retry.maxAttempts', contract.maxAttempts, 1, limits.maxAttempts),
    outside('retry.backoff.base', contract.baseMs, 0, limits.backoffMaxMs),
    badFactor(contract.factor),
    outside('retry.backoff.max', contract.maxMs, 0, limits.backoffMaxMs),
    outside('timeout', contract.timeoutMs, 1, limits.attemptTimeoutMaxMs),
    ...missingUpgrades(contract),
  ];
  return found.filter((violation) => violation !== undefined);
}
