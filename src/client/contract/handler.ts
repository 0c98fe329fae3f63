import type { StandardSchemaV1 } from '@standard-schema/spec';
import { invalid, type Violation } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Context } from '../context.ts';
import { type Duration, optionalMs } from '../duration.ts';
import { badName, type Task } from './task.ts';

type Schema = StandardSchemaV1;

/** A task type and what does it: a value, which the command line, the embedded mode and tests run alike. */
export interface Handler {
  readonly task: Task;
  readonly run: (input: unknown, context: Context) => unknown;
  /** Undefined: only the worker's own limit. */
  readonly concurrency: number | undefined;
  readonly timeoutMs: number | undefined;
}

export interface HandleOptions {
  /** Attempts of this type at once in one worker. Default: the worker's concurrency. */
  readonly concurrency?: number;
  /** Shorter than the task's own timeout: this worker gives an attempt up sooner. */
  readonly timeout?: Duration;
}

/**
 * Binds a function to a task type. It gets the schema's output and gives the output schema's input. What it throws
 * is tried again by the contract's policy, but for `FatalError` (never), `RetryAfter` and `Snooze`.
 */
export function handle<N extends string, I extends Schema, O extends Schema>(
  task: Task<N, I, O>,
  run: (
    input: StandardSchemaV1.InferOutput<I>,
    context: Context,
  ) => Promise<StandardSchemaV1.InferInput<O>> | StandardSchemaV1.InferInput<O>,
  options: HandleOptions = {},
): Handler {
  const { concurrency } = options;
  const timeoutMs = optionalMs(options.timeout, 'timeout');
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1)) {
    throw invalid([{ field: 'concurrency', description: `is ${concurrency}; a whole number from 1` }]);
  }
  return Object.freeze({ task: task as unknown as Task, run: run as Handler['run'], concurrency, timeoutMs });
}

/** Goes around every attempt; may throw as a handler may. What `next` resolves to is what the handler returned. */
export type Middleware = (context: Context, next: () => Promise<unknown>) => Promise<unknown>;

/** A task that died by this worker's own word. */
export interface DeadTask {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly attempt: number;
  /** The last error's message. */
  readonly message: string;
  readonly errorType: string;
}

export interface WorkerOptions {
  readonly handlers: readonly Handler[];
  /** Attempts at once. Default 16, at most 4,000. */
  readonly concurrency?: number;
  /** Default: the queues of the handlers' tasks. At most 64. */
  readonly queues?: readonly string[];
  readonly use?: readonly Middleware[];
  /**
   * Called when a task died by this worker's settlement, after it was recorded. Not called for a death that nobody
   * told (a killed worker's last attempt, a deadline). What it throws is logged.
   */
  readonly onDead?: (task: DeadTask) => void | Promise<void>;
  /** Shown with each claim. Default: the host's name and the process id. At most 255 characters. */
  readonly name?: string;
}

export interface WorkerSpec {
  readonly handlers: readonly Handler[];
  readonly concurrency: number;
  readonly queues: readonly string[];
  readonly use: readonly Middleware[];
  readonly onDead: ((task: DeadTask) => void | Promise<void>) | undefined;
  readonly name: string | undefined;
}

const concurrencyDefault = 16;
const concurrencyMax = 4_000;

/**
 * Puts handlers together; `client.work(spec)` and `holdfast worker <module>` run it.
 * @throws HoldfastError INVALID_ARGUMENT: no handler, two for one type, too many queues, a concurrency out of range.
 */
export function defineWorker(options: WorkerOptions): WorkerSpec {
  const { handlers, concurrency = concurrencyDefault, use = [], onDead, name } = options;
  const queues = options.queues ?? [...new Set(handlers.map((handler) => handler.task.contract.queue))];
  const violations = problems(handlers, concurrency, queues, name);
  if (violations.length > 0) throw invalid(violations);
  return Object.freeze({ handlers, concurrency, queues, use, onDead, name });
}

function problems(
  handlers: readonly Handler[],
  concurrency: number,
  queues: readonly string[],
  name: string | undefined,
): Violation[] {
  const found: (Violation | undefined)[] = queues.map((queue, i) => badName(`queues[${i}]`, queue));
  const say = (field: string, description: string): void => void found.push({ field, description });
  if (handlers.length === 0) say('handlers', 'is empty; give at least one handle(task, fn)');
  if (handlers.length > limits.workerTypes) say('handlers', `has more than ${limits.workerTypes}`);
  const names = handlers.map((handler) => handler.task.name);
  for (const twice of new Set(names.filter((type, i) => names.indexOf(type) !== i))) {
    say('handlers', `names '${twice}' twice; a worker has one handler for a type`);
  }
  if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= concurrencyMax)) {
    say('concurrency', `is ${concurrency}; a whole number from 1 to ${concurrencyMax}`);
  }
  if (queues.length === 0 && handlers.length > 0) say('queues', 'is empty');
  if (queues.length > limits.workerQueues)
    say('queues', `has ${queues.length}; at most ${limits.workerQueues}`);
  if (name !== undefined && (name === '' || name.length > limits.keyChars)) {
    say('name', `has ${name.length} characters; 1 to ${limits.keyChars}`);
  }
  return found.filter((violation) => violation !== undefined);
}
