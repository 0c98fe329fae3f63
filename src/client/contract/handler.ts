import type { StandardSchemaV1 } from '@standard-schema/spec';
import { limits } from '../../core/limits.ts';
import { count, ifGiven, name, requireValid, text, Violations, whole } from '../../core/rules.ts';
import type { AttemptContext } from '../context.ts';
import { type Duration, optionalMs } from '../duration.ts';
import type { TaskType } from './task.ts';
import { numberRule, stringRule } from './untyped-values.ts';

type Schema = StandardSchemaV1;

/** A task type together with the function that runs its tasks. Made by `handle`. */
export interface Handler {
  /** The task type that this handler runs. */
  readonly task: TaskType;
  /** The handler function. Its input has been upgraded and validated. */
  readonly run: (input: unknown, context: AttemptContext) => unknown;
  /**
   * The largest number of attempts of this type at one time in one worker; undefined if only the worker's concurrency
   * limits the number.
   */
  readonly concurrency: number | undefined;
  /** The handler's own attempt timeout in milliseconds; undefined if it has none. */
  readonly timeoutMs: number | undefined;
}

const handlerConcurrency = ifGiven(numberRule(whole(1, Number.POSITIVE_INFINITY)));

/** Options of `handle`. */
export interface HandleOptions {
  /**
   * The largest number of attempts of this task type at one time in one worker: a whole number from 1. Default: the
   * worker's concurrency. On AWS give a task type with such a limit a queue of its own.
   */
  readonly concurrency?: number;
  /** An attempt timeout for this worker. It takes effect only if it is shorter than the timeout of the task type. */
  readonly timeout?: Duration;
}

/**
 * Binds a function to a task type. The function gets the validated input and the context of the attempt, and returns
 * the result. If it throws, the attempt has failed and is retried by the retry policy of the task type, except for
 * three errors: `FatalError` ends the task as dead, `RetryAfter` sets the time of the next attempt, and `Snooze` runs
 * the task later without counting an attempt.
 *
 * A task may run more than once, for example after a crash: use `context.idempotencyKey` or `context.fencingToken` to
 * make external effects safe.
 *
 * @throws HoldfastError INVALID_ARGUMENT if `concurrency` or `timeout` is out of range.
 *
 * @example
 * ```ts
 * const sendEmailHandler = handle(
 *   sendEmail,
 *   async ({ to }, { signal, idempotencyKey }) => {
 *     const response = await fetch('https://mail.example/send', {
 *       method: 'POST',
 *       headers: { 'idempotency-key': idempotencyKey },
 *       body: JSON.stringify({ to }),
 *       signal,
 *     });
 *     if (!response.ok) throw new Error(`the mail server answered ${response.status}`);
 *     return { messageId: await response.text() };
 *   },
 *   { concurrency: 4 },
 * );
 * ```
 */
export function handle<N extends string, I extends Schema, O extends Schema>(
  task: TaskType<N, I, O>,
  run: (
    input: StandardSchemaV1.InferOutput<I>,
    context: AttemptContext,
  ) => Promise<StandardSchemaV1.InferInput<O>> | StandardSchemaV1.InferInput<O>,
  options: HandleOptions = {},
): Handler {
  const { concurrency } = options;
  const timeoutMs = optionalMs(options.timeout, 'timeout');
  requireValid('concurrency', handlerConcurrency, concurrency);
  return Object.freeze({
    task: task as unknown as TaskType,
    run: run as Handler['run'],
    concurrency,
    timeoutMs,
  });
}

/**
 * A function that wraps every attempt of a worker. Call `next()` once to run the next middleware or the handler; it
 * resolves to the handler's result. Return that result or another one. An error that the middleware throws counts as an
 * error of the handler.
 */
export type Middleware = (context: AttemptContext, next: () => Promise<unknown>) => Promise<unknown>;

/** The task that `WorkerOptions.onDead` is called for: its last attempt failed in this worker. */
export interface DeadTask {
  /** The id of the task. */
  readonly id: string;
  /** The name of the task type. */
  readonly type: string;
  /** The queue of the task. */
  readonly queue: string;
  /** The number of the last attempt, from 1. */
  readonly attempt: number;
  /** The message of the last error. */
  readonly message: string;
  /** The name of the last error, for example `TypeError`. */
  readonly errorType: string;
}

/** Options of `defineWorker`. */
export interface WorkerOptions {
  /** The handlers of the worker: at least one, at most 256, and one for each task type. */
  readonly handlers: readonly Handler[];
  /** The largest number of attempts at one time, from 1 to 4,000. Default: 16. */
  readonly concurrency?: number;
  /** The queues to take tasks from, 1 to 64. Default: the queues of the handlers' task types. */
  readonly queues?: readonly string[];
  /** Middleware around every attempt; the first one is the outermost. Default: none. */
  readonly use?: readonly Middleware[];
  /**
   * Called after the server has recorded that an attempt of this worker made the task dead. It is not called if a task
   * dies without a report from a worker: by its deadline, or because the worker of the last attempt was killed. An
   * error that the callback throws is logged.
   */
  readonly onDead?: (task: DeadTask) => void | Promise<void>;
  /**
   * The name of the worker in task statuses and events, 1 to 255 characters. Default: the host name and the process id.
   */
  readonly name?: string;
}

/**
 * A checked worker definition with its defaults filled in. Made by `defineWorker`; its fields are those of
 * WorkerOptions.
 */
export interface WorkerSpec {
  readonly handlers: readonly Handler[];
  readonly concurrency: number;
  readonly queues: readonly string[];
  readonly use: readonly Middleware[];
  readonly onDead: ((task: DeadTask) => void | Promise<void>) | undefined;
  readonly name: string | undefined;
}

const concurrencyDefault = 16;
const rules = {
  handlerCount: count(1, limits.workerTypes, 'handlers'),
  queueCount: count(1, limits.workerQueues, 'queues'),
  queue: stringRule(name()),
  concurrency: numberRule(whole(1, 4_000)),
  name: ifGiven(stringRule(text(limits.keyChars, 'required'))),
};

/**
 * Defines a worker: a set of handlers and its limits. It runs nothing by itself; start it with `client.work(worker)`,
 * or export it from a module and run `holdfast worker <module>`.
 *
 * @throws HoldfastError INVALID_ARGUMENT, naming every wrong option: no handlers, two handlers for one task type, too
 * many queues, or a concurrency out of range.
 *
 * @example
 * ```ts
 * export default defineWorker({
 *   handlers: [handle(sendEmail, async ({ to }) => ({ messageId: `id-for-${to}` }))],
 *   concurrency: 32,
 *   onDead: (task) => console.error(`${task.type} ${task.id} is dead: ${task.message}`),
 * });
 * ```
 */
export function defineWorker(options: WorkerOptions): WorkerSpec {
  const { handlers, concurrency = concurrencyDefault, use = [], onDead, name } = options;
  const queues = options.queues ?? [...new Set(handlers.map((handler) => handler.task.contract.queue))];
  const spec = Object.freeze({ handlers, concurrency, queues, use, onDead, name });
  ensureValid(spec);
  return spec;
}

function ensureValid({ handlers, concurrency, queues, name }: WorkerSpec): void {
  const found = new Violations();
  // Without handlers, the default list of queues is empty too, and only the missing handlers are reported.
  if (handlers.length > 0 || queues.length > 0)
    found.addList('queues', queues, rules.queueCount, rules.queue);
  found.add('handlers', rules.handlerCount(handlers.length));
  const types = handlers.map((handler) => handler.task.name);
  for (const duplicate of new Set(types.filter((type, i) => types.indexOf(type) !== i))) {
    found.add('handlers', `has two handlers for '${duplicate}'; a worker has one handler per task type`);
  }
  found.add('concurrency', rules.concurrency(concurrency));
  found.add('name', rules.name(name));
  found.throwIfAny();
}
