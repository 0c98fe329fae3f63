import type { StandardSchemaV1 } from '@standard-schema/spec';
import { asHoldfastError, type HoldfastError, invalid } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { SubmitOk } from '../core/messages.ts';
import type { Clock } from '../ports/clock.ts';
import { TaskService } from '../rpc/gen/holdfast/v1/task_service_pb.ts';
import { Caller, closedError } from './calls.ts';
import type { WorkerSpec } from './contract/handler.ts';
import type { Task } from './contract/task.ts';
import { type Duration, durationMs } from './duration.ts';
import { type Logger, silent } from './log.ts';
import { during, noPresence, type Presence } from './presence.ts';
import { outbound, type Parent } from './submit/build-submission.ts';
import type { Submit } from './submit/submit-call.ts';
import type { SubmitOptions } from './submit/submit-options.ts';
import { Submitter } from './submit/submitter.ts';
import { type State, stateNumbers, statusOf, type TaskStatus } from './tasks/status.ts';
import {
  type HandleParts,
  type SubmittedTask,
  submittedTask,
  type TaskHandle,
  taskHandle,
} from './tasks/task-handle.ts';
import { Watches } from './tasks/watches.ts';
import type { Transport } from './transport.ts';
import type { Running } from './worker/running.ts';
import { startWorker } from './worker/worker.ts';

type Schema = StandardSchemaV1;

/** One item of `submitMany`, in its place. */
export type SubmitOutcome<R> =
  | { readonly ok: true; readonly task: SubmittedTask<R> }
  | { readonly ok: false; readonly error: HoldfastError };

export interface ListOptions {
  /** Default `default`. */
  readonly queue?: string;
  /** `retrying`: waiting after a failure. */
  readonly state?: State | 'retrying';
  readonly type?: string;
  readonly tag?: string;
  /** Unfinished tasks of this lane, in their order; other lists are newest first. */
  readonly orderingKey?: string;
  readonly acceptedFrom?: Date;
  readonly acceptedUntil?: Date;
  /** 1 to 100; default 50. */
  readonly limit?: number;
  /** From the page before. */
  readonly cursor?: string;
}

export interface TaskPage {
  readonly tasks: readonly TaskStatus[];
  /** Undefined: no more. */
  readonly cursor: string | undefined;
}

/** A connection to Holdfast: over the network, to a file, or in memory. */
export interface Client extends AsyncDisposable {
  readonly submit: Submit;
  /** Submits many; a result an item, in their order, never atomic. Any number of items. */
  submitMany<N extends string, I extends Schema, O extends Schema>(
    task: Task<N, I, O>,
    items: Iterable<{ readonly input: StandardSchemaV1.InferInput<I> } & SubmitOptions>,
  ): Promise<readonly SubmitOutcome<StandardSchemaV1.InferOutput<O>>[]>;
  /** A handle to a task by its id; asks nobody. With the task type the result has its type and is validated. */
  task(id: string): TaskHandle<unknown>;
  task<N extends string, I extends Schema, O extends Schema>(
    id: string,
    task: Task<N, I, O>,
  ): TaskHandle<StandardSchemaV1.InferOutput<O>>;
  /** Where a task stands, by its id. @throws HoldfastError NOT_FOUND */
  get(id: string): Promise<TaskStatus>;
  /** The newest task of a key. @throws HoldfastError NOT_FOUND */
  getByKey(idempotencyKey: string, options?: { readonly queue?: string }): Promise<TaskStatus>;
  /** One page of a queue's tasks, without inputs and results. */
  list(options?: ListOptions): Promise<TaskPage>;
  /** Starts a worker; resolves when it is ready to take tasks, or will be once the server can be reached. */
  work(worker: WorkerSpec): Promise<Running>;
  /** Drains this client's workers, then closes the connection. Idempotent. */
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly clock: Clock;
  /** Default: the identity's only tenant, else `default`. */
  readonly tenant?: string | undefined;
  /** How long a call that may be repeated is repeated while the server cannot be reached. Default 30 s. */
  readonly retryFor?: Duration | undefined;
  /** Workers' lines and `ctx.log`. Default: silent. */
  readonly log?: Logger | undefined;
  /** Names workers that have no name of their own. Default `worker`. */
  readonly workerName?: string | undefined;
  /** Told while something is under way that the program waits for. */
  readonly presence?: Presence | undefined;
}

const retryForDefault: Duration = '30s';
const tellEveryMs = 10_000;

class TransportClient implements Client {
  readonly #transport: Transport;
  readonly #options: ClientOptions;
  readonly #parts: HandleParts;
  readonly #presence: Presence;
  readonly #submitter: Submitter;
  readonly #workers = new Set<Running>();
  #closing: Promise<void> | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(transport: Transport, options: ClientOptions) {
    const { clock, tenant = '', retryFor = retryForDefault, presence = noPresence } = options;
    const retryForMs = durationMs(retryFor, 'retryFor');
    this.#transport = transport;
    this.#options = options;
    const retrying = (error: HoldfastError): void => this.#retrying(error, retryForMs);
    this.#submitter = new Submitter({ transport, clock, tenant, retryForMs, retrying });
    this.#presence = presence;
    const caller = new Caller({ transport, clock, retryForMs, presence, retrying });
    const watches = new Watches({ transport, clock, tenant });
    this.#parts = { transport, clock, tenant, caller, watches, presence };
  }

  readonly submit: Submit = (task, input, options = {}) =>
    during(this.#presence, this.#submit(task as unknown as Task, input, options, undefined)) as Promise<
      SubmittedTask<never>
    >;

  async submitMany<N extends string, I extends Schema, O extends Schema>(
    task: Task<N, I, O>,
    items: Iterable<{ readonly input: StandardSchemaV1.InferInput<I> } & SubmitOptions>,
  ): Promise<readonly SubmitOutcome<StandardSchemaV1.InferOutput<O>>[]> {
    type Outcome = SubmitOutcome<StandardSchemaV1.InferOutput<O>>;
    const going: Promise<Outcome>[] = [];
    for (const { input, ...options } of items) {
      going.push(
        this.#submit(task as unknown as Task, input, options, undefined).then(
          (handle): Outcome => ({ ok: true, task: handle as SubmittedTask<StandardSchemaV1.InferOutput<O>> }),
          (thrown: unknown): Outcome => ({ ok: false, error: asHoldfastError(thrown) }),
        ),
      );
    }
    return during(this.#presence, Promise.all(going));
  }

  task(id: string, task?: object): TaskHandle<never> {
    return taskHandle(this.#parts, id, task as Task | undefined);
  }

  get(id: string): Promise<TaskStatus> {
    return this.task(id).status();
  }

  async getByKey(
    idempotencyKey: string,
    { queue = 'default' }: { readonly queue?: string } = {},
  ): Promise<TaskStatus> {
    const { caller, tenant } = this.#parts;
    const request = { tenant, queue, idempotencyKey, withResult: true, withPayload: true };
    const { task } = await caller.call(TaskService.method.getTaskByKey, request);
    if (task === undefined) throw asHoldfastError(new Error('the server answered without a task'));
    return statusOf(task);
  }

  async list(options: ListOptions = {}): Promise<TaskPage> {
    const { state, acceptedFrom, acceptedUntil, limit = 0 } = options;
    if (!(Number.isInteger(limit) && limit >= 0 && limit <= limits.pageItems)) {
      throw invalid([
        { field: 'limit', description: `is ${limit}; a whole number from 1 to ${limits.pageItems}` },
      ]);
    }
    const { caller, tenant } = this.#parts;
    const { tasks, cursor } = await caller.call(TaskService.method.listTasks, {
      tenant,
      queue: options.queue ?? 'default',
      state: state === undefined || state === 'retrying' ? 0 : stateNumbers[state],
      retrying: state === 'retrying',
      type: options.type ?? '',
      tag: options.tag ?? '',
      orderingKey: options.orderingKey ?? '',
      acceptedFromMs: BigInt(acceptedFrom?.getTime() ?? 0),
      acceptedUntilMs: BigInt(acceptedUntil?.getTime() ?? 0),
      pageSize: limit,
      cursor: options.cursor ?? '',
    });
    return { tasks: tasks.map(statusOf), cursor: cursor === '' ? undefined : cursor };
  }

  async work(worker: WorkerSpec): Promise<Running> {
    if (this.#closing !== undefined) throw closedError();
    const { clock, tenant = '', log = silent, workerName = 'worker' } = this.#options;
    const running = startWorker(worker, {
      transport: this.#transport,
      clock,
      tenant,
      log,
      workerName,
      submit: (task, input, options, parent) => this.#submit(task, input, options, parent),
    });
    this.#workers.add(running);
    const gone = (): void => void this.#workers.delete(running);
    void during(this.#presence, running.done).then(gone, gone);
    return running;
  }

  close(): Promise<void> {
    this.#closing ??= during(this.#presence, this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A line at most each ten seconds: a server that is away is met by every call. */
  #retrying(err: HoldfastError, retryForMs: number): void {
    const nowMs = this.#parts.clock.monotonic();
    if (nowMs - this.#toldAtMs < tellEveryMs) return;
    this.#toldAtMs = nowMs;
    const { log = silent } = this.#options;
    log.warn({ err, help: err.help }, `${err.message} Trying again for up to ${retryForMs / 1_000} s.`);
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#workers].map((running) => running.drain()));
    this.#submitter.close();
    this.#parts.caller.close();
    this.#parts.watches.close();
    await this.#transport.close();
  }

  async #submit(
    task: Task,
    input: unknown,
    options: SubmitOptions,
    parent: Parent | undefined,
  ): Promise<SubmittedTask<unknown>> {
    const built = outbound(this.#parts.clock, task, input, options, parent);
    const { queue, item } = built instanceof Promise ? await built : built;
    const ok: SubmitOk = await this.#submitter.submit(queue, item);
    return submittedTask(this.#parts, task, ok);
  }
}

/** A client over any transport; `connect()` is what most programs use. */
export function createClient(transport: Transport, options: ClientOptions): Client {
  return new TransportClient(transport, options);
}
