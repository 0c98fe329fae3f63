import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defaults } from '../../core/limits.ts';
import type { Priority } from '../../core/priority.ts';
import { ifGiven, name, Violations } from '../../core/rules.ts';
import { optionRules, retryRules, typeVersion } from '../../core/submission/field-rules.ts';
import { type Duration, durationMs, optionalMs } from '../duration.ts';
import type { JsonInput } from './json-leaves.ts';
import { numberRule, stringRule } from './untyped-values.ts';

type Schema = StandardSchemaV1;

/** The type of the input that `submit` takes for a task type: `InputOf<typeof sendEmail>`. */
export type InputOf<T> = T extends TaskType<string, infer I, Schema> ? StandardSchemaV1.InferInput<I> : never;

/** The type of the result that `task.result()` returns for a task type: `ResultOf<typeof sendEmail>`. */
export type ResultOf<T> =
  T extends TaskType<string, Schema, infer O> ? StandardSchemaV1.InferOutput<O> : never;

/** The retry policy of a task type: how failed attempts are retried. */
export interface Retry {
  /** The number of attempts in all, the first included, from 1 to 1,000. Default: 5. */
  readonly maxAttempts?: number | undefined;
  /**
   * The wait before the next attempt. As an object: exponential backoff with full jitter, so the wait after attempt n
   * is a random time between 0 and min(max, base × factor^(n−1)). Defaults: base 1 s, factor 2, max 5 min; base and
   * max are at most 30 days, factor is at least 1. As a function: called in the worker with the number of the failed
   * attempt (from 1) and its error, it returns the wait, without jitter.
   */
  readonly backoff?:
    | { readonly base?: Duration; readonly factor?: number; readonly max?: Duration }
    | ((attempt: number, error: unknown) => Duration)
    | undefined;
}

/** Options of `defineTask`, beside the schemas. */
export interface TaskOptions<I extends Schema> {
  /** The queue of the tasks: 1 to 64 of `A-Z a-z 0-9 . _ -`. Default: `default`. A submission can name another one. */
  readonly queue?: string;
  /** The retry policy. Default: 5 attempts, exponential backoff from 1 s to 5 min. */
  readonly retry?: Retry;
  /** The longest time of one attempt, at most 11 h; a longer attempt fails. Default: 5 min. */
  readonly timeout?: Duration;
  /**
   * The number of lost workers after which a task is dead with reason `workerLost`, from 3 to 1,000. Default: 3. A
   * worker is lost if its process ends, or is cut off for longer than a lease, while it runs the task. From two losses
   * on the task runs alone in its worker. Choose more for tasks of hours on machines that may be taken away.
   */
  readonly maxLosses?: number;
  /** The priority of the tasks. Default: `normal`. A submission can choose another one. */
  readonly priority?: Priority;
  /**
   * The version of the input schema, a whole number from 1. Default: 1. Raise it when the input changes incompatibly. A
   * worker gets no tasks of a version newer than its own.
   */
  readonly version?: number;
  /**
   * Functions that upgrade the input of an older task: `upgrade[n]` converts an input of version n to version n + 1.
   * The worker calls them before it validates the input. A missing step leaves the input as it is.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the types of older versions are not kept.
  readonly upgrade?: Readonly<Record<number, (old: any) => unknown>>;
  /**
   * Derives the idempotency key from the input, at most 255 characters: two submissions with the same key and an equal
   * input become one task. The `idempotencyKey` of a submission takes precedence.
   */
  readonly idempotencyKey?: (input: StandardSchemaV1.InferInput<I>) => string;
  /**
   * Derives the ordering key from the input, at most 255 characters: tasks with the same ordering key run one at a
   * time, in the order in which they were accepted. The `orderingKey` of a submission takes precedence.
   */
  readonly orderingKey?: (input: StandardSchemaV1.InferInput<I>) => string;
}

/** The options of a task type with their defaults filled in and durations in milliseconds. */
export interface TaskContract {
  readonly queue: string;
  readonly version: number;
  readonly maxAttempts: number | undefined;
  readonly baseMs: number | undefined;
  readonly factor: number | undefined;
  readonly maxMs: number | undefined;
  readonly backoff: ((attempt: number, error: unknown) => Duration) | undefined;
  readonly timeoutMs: number | undefined;
  readonly maxLosses: number | undefined;
  readonly priority: Priority | undefined;
  readonly upgrade: Readonly<Record<number, (old: unknown) => unknown>>;
  readonly idempotencyKey: ((input: unknown) => string) | undefined;
  readonly orderingKey: ((input: unknown) => string) | undefined;
}

/**
 * A task type: the name, the schemas and the options that submitters and workers share. Made by `defineTask`.
 */
export interface TaskType<N extends string = string, I extends Schema = Schema, O extends Schema = Schema> {
  /** The name of the task type. */
  readonly name: N;
  /** The schema of the input. */
  readonly input: I;
  /** The schema of the result; undefined if tasks of this type have no result. */
  readonly output: O | undefined;
  /** The options of the task type. */
  readonly contract: TaskContract;
}

/**
 * Returns a schema that only carries a TypeScript type, for programs without a schema library. It accepts every value
 * at run time.
 */
export function typed<T>(): StandardSchemaV1<T, T> {
  return { '~standard': { version: 1, vendor: 'holdfast', validate: (value) => ({ value: value as T }) } };
}

/**
 * Defines a task type: a name, the schemas of its input and result, and its defaults. Put it in a module of its own
 * that both submitters and workers import. `input` and `output` take any Standard Schema (zod, valibot, arktype …) or
 * `typed<T>()`. Inputs and results are sent as JSON: at most 256 KiB each.
 *
 * @param name The name of the task type, 1 to 64 of `A-Z a-z 0-9 . _ -`. A worker runs a task if it has a handler for
 * this name and takes tasks from the task's queue.
 * @throws HoldfastError INVALID_ARGUMENT, naming every option that is out of range.
 *
 * @example
 * ```ts
 * export const sendEmail = defineTask('send-email', {
 *   input: typed<{ to: string }>(),
 *   output: typed<{ messageId: string }>(),
 *   queue: 'email',
 *   retry: { maxAttempts: 8, backoff: { base: '2s', max: '10m' } },
 *   timeout: '30s',
 *   idempotencyKey: ({ to }) => `welcome/${to}`,
 * });
 * ```
 */
export function defineTask<
  const N extends string,
  I extends Schema,
  O extends Schema = StandardSchemaV1<void, void>,
>(
  name: N,
  options: { readonly input: I & JsonInput<I>; readonly output?: O & JsonInput<O> } & TaskOptions<I>,
): TaskType<N, I, O> {
  const contract = contractOf(options as TaskOptions<Schema>);
  ensureInRange(name, contract);
  return Object.freeze({ name, input: options.input, output: options.output, contract });
}

function contractOf(options: TaskOptions<Schema>): TaskContract {
  const {
    queue = 'default',
    version = defaults.typeVersion,
    retry = {},
    timeout,
    maxLosses,
    priority,
  } = options;
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
    maxLosses,
    priority,
    upgrade: options.upgrade ?? {},
    idempotencyKey: options.idempotencyKey as TaskContract['idempotencyKey'],
    orderingKey: options.orderingKey as TaskContract['orderingKey'],
  });
}

const rules = {
  name: stringRule(name()),
  version: numberRule(typeVersion),
  maxAttempts: ifGiven(numberRule(retryRules.maxAttempts)),
  baseMs: ifGiven(retryRules.baseMs),
  factor: ifGiven(numberRule(retryRules.factor)),
  maxMs: ifGiven(retryRules.maxMs),
  timeoutMs: ifGiven(optionRules.attemptTimeoutMs),
  maxLosses: ifGiven(numberRule(optionRules.maxLosses)),
};

function ensureInRange(taskName: string, contract: TaskContract): void {
  const { version, upgrade } = contract;
  const found = new Violations();
  found.add('name', rules.name(taskName));
  found.add('queue', rules.name(contract.queue));
  found.add('version', rules.version(version));
  found.add('retry.maxAttempts', rules.maxAttempts(contract.maxAttempts));
  found.add('retry.backoff.base', rules.baseMs(contract.baseMs));
  found.add('retry.backoff.factor', rules.factor(contract.factor));
  found.add('retry.backoff.max', rules.maxMs(contract.maxMs));
  found.add('timeout', rules.timeoutMs(contract.timeoutMs));
  found.add('maxLosses', rules.maxLosses(contract.maxLosses));
  for (const from of Object.keys(upgrade).map(Number)) {
    if (Number.isInteger(from) && from >= 1 && from < version) continue;
    found.add(`upgrade.${from}`, `upgrades from version ${from}, but the task type has version ${version}`);
  }
  found.throwIfAny();
}
