import type { StandardSchemaV1 } from '@standard-schema/spec';
import { asHoldfastError, HoldfastError } from '../core/errors.ts';
import { defaults, limits } from '../core/limits.ts';
import type { SubmitOk } from '../core/messages.ts';
import { requireValid, whole } from '../core/rules.ts';
import { stateNumbers } from '../core/wire-numbers.ts';
import type { Clock } from '../ports/clock.ts';
import type { WorkerMetrics } from '../ports/metrics.ts';
import { noTracing, type Tracing } from '../ports/tracing.ts';
import { TaskView } from '../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../rpc/gen/holdfast/v1/task_service_pb.ts';
import { createQueues, type Queues } from './admin/queues.ts';
import { mostRedriven, type Redriven, type RedriveOptions, redriveAll } from './admin/redrive.ts';
import { createWorkers, type Workers } from './admin/workers.ts';
import { Caller, closedError } from './calls.ts';
import type { WorkerSpec } from './contract/handler.ts';
import type { TaskType } from './contract/task.ts';
import { numberRule } from './contract/untyped-values.ts';
import { type Duration, durationMs } from './duration.ts';
import { type Logger, neverThrowing, silent } from './log.ts';
import { meteredTransport } from './metered-transport.ts';
import { during, noPresence, type Presence } from './presence.ts';
import { buildSubmission, type OutboundSubmission, type ParentTask } from './submit/build-submission.ts';
import type { Submit } from './submit/submit-call.ts';
import type { SubmitOptions } from './submit/submit-options.ts';
import { endingSpan, traceSubmission } from './submit/submit-span.ts';
import { Submitter } from './submit/submitter.ts';
import { type Trouble, troubleOf } from './tasks/explanation.ts';
import { type ListRequest, listTasks } from './tasks/list-tasks.ts';
import { type State, statusOf, type TaskStatus } from './tasks/status.ts';
import {
  type HandleParts,
  type SubmittedTask,
  submittedTask,
  type TaskHandle,
  taskHandle,
} from './tasks/task-handle.ts';
import { Watches } from './tasks/watches.ts';
import type { Transport } from './transport.ts';
import type { SubmitChild } from './worker/attempt.ts';
import type { RunningWorker, StartWorker } from './worker/running.ts';

type Schema = StandardSchemaV1;

/** The result of one item of `submitMany`: a handle to the accepted task, or the error of this item alone. */
export type SubmitOutcome<R> =
  | { readonly ok: true; readonly task: SubmittedTask<R> }
  | { readonly ok: false; readonly error: HoldfastError };

/** Filters and paging of `client.list`. All filters that are given must match. */
export interface ListOptions {
  /** The queue to list. Default: `default`. */
  readonly queue?: string;
  /** Lists only tasks in this state. `retrying` lists the tasks that wait for their next attempt after a failure. */
  readonly state?: State | 'retrying';
  /** Lists only tasks of this task type, by its name. */
  readonly type?: string;
  /** Lists only tasks that carry this tag. */
  readonly tag?: string;
  /**
   * Lists the unfinished tasks of this ordering key in the order in which they run. Without an ordering key, the newest
   * task comes first.
   */
  readonly orderingKey?: string;
  /** Lists only tasks that were accepted at this time or later. */
  readonly acceptedFrom?: Date;
  /** Lists only tasks that were accepted before this time. */
  readonly acceptedUntil?: Date;
  /** The largest number of tasks in one page, from 1 to 100. Default: 50. */
  readonly limit?: number;
  /** The `nextPageToken` of the previous page. Without it, the list begins at its first page. */
  readonly pageToken?: string;
}

/** One page of a task list. */
export interface TaskPage {
  /** The tasks of this page, without their inputs and results. */
  readonly tasks: readonly TaskStatus[];
  /**
   * The token to give to the next `client.list` call as `pageToken`; undefined on the last page. Only this says whether
   * the list has ended: a page with few tasks, or none, may have a next one (see `isCut`).
   */
  readonly nextPageToken: string | undefined;
  /** The number of tasks that were examined for this page, also those that the filters left out. */
  readonly examined: number;
  /**
   * The time at which the task that was examined last had been accepted; the next page continues behind it. Undefined
   * if no task was examined.
   */
  readonly examinedUntil: Date | undefined;
  /**
   * True if the call stopped after 20,000 examined tasks, before the page was full and before the end of the list. Tasks
   * that were not examined may match: continue with `nextPageToken`, or narrow the time span with `acceptedFrom` and
   * `acceptedUntil`.
   */
  readonly isCut: boolean;
}

/**
 * A connection to Holdfast: to a server, to a store in a file, or to a store in memory. Made by `connect`. Safe for
 * concurrent use; one client per program is enough.
 */
export interface Client extends AsyncDisposable {
  /**
   * Submits one task and resolves once it is stored durably: from then on it survives any crash. Calls that are made in
   * the same turn of the event loop are sent as one batch. See `SubmitOptions` for keys, delays and deadlines.
   *
   * @throws HoldfastError INVALID_ARGUMENT if the input does not fit the task type; nothing was sent.
   * @throws HoldfastError ALREADY_EXISTS, reason KEY_REUSED, if the idempotency key belongs to a task with another
   * input; `error.taskId` names that task.
   * @throws HoldfastError UNAVAILABLE or RESOURCE_EXHAUSTED if the server was unreachable or overloaded for longer than
   * `retryFor`.
   *
   * @example
   * ```ts
   * const task = await client.submit(sendEmail, { to: 'ada@example.com' }, { delay: '10m' });
   * console.log(task.id, task.deduplicated);
   * ```
   */
  readonly submit: Submit;
  /**
   * Submits any number of tasks of one type. Resolves to one outcome per item, in the order of the items. The call is
   * not atomic: some items may be accepted and others refused, and the promise itself does not reject for a refused
   * item.
   *
   * @example
   * ```ts
   * const outcomes = await client.submitMany(sendEmail, [
   *   { input: { to: 'ada@example.com' } },
   *   { input: { to: 'eve@example.com' }, priority: 'high' },
   * ]);
   * for (const outcome of outcomes) {
   *   if (outcome.ok) console.log(outcome.task.id);
   *   else console.error(outcome.error.message);
   * }
   * ```
   */
  submitMany<N extends string, I extends Schema, O extends Schema>(
    task: TaskType<N, I, O>,
    items: Iterable<{ readonly input: StandardSchemaV1.InferInput<I> } & SubmitOptions>,
  ): Promise<readonly SubmitOutcome<StandardSchemaV1.InferOutput<O>>[]>;
  /**
   * Returns a handle to the task with this id. It makes no call, and does not check that the task exists. With the task
   * type as second argument, `result()` is typed and validated against the type's output schema.
   */
  task(id: string): TaskHandle<unknown>;
  task<N extends string, I extends Schema, O extends Schema>(
    id: string,
    task: TaskType<N, I, O>,
  ): TaskHandle<StandardSchemaV1.InferOutput<O>>;
  /**
   * Reads the current status of a task by its id, with its input and result.
   *
   * @throws HoldfastError NOT_FOUND, reason TASK_NOT_FOUND, if the task does not exist or has expired.
   */
  get(id: string): Promise<TaskStatus>;
  /**
   * Reads the newest task that was submitted with this idempotency key. `queue` is `default` if it is not given.
   *
   * @throws HoldfastError NOT_FOUND, reason TASK_NOT_FOUND, if the queue has no task with this key.
   */
  getByKey(idempotencyKey: string, options?: { readonly queue?: string }): Promise<TaskStatus>;
  /**
   * Reads one page of a queue's tasks, without their inputs and results. If few tasks match the filters, the call reads
   * on until the page is full, the list has ended, or 20,000 tasks were examined (`isCut`).
   *
   * @throws HoldfastError INVALID_ARGUMENT if `limit` is not a whole number from 1 to 100.
   */
  list(options?: ListOptions): Promise<TaskPage>;
  /**
   * Explains the unfinished tasks of a queue, or of all queues that this client may read, and groups those that are in
   * trouble by their cause. A call explains about 2,000 unfinished tasks and examines about 10,000 at most, of each queue the
   * newest ones (`cutQueues`).
   *
   * @throws HoldfastError NOT_FOUND, reason QUEUE_UNKNOWN, if the queue does not exist.
   *
   * @example
   * ```ts
   * const { groups } = await client.trouble({ queue: 'mail' });
   * for (const { sentence, next } of groups) console.error(sentence, next);
   * ```
   */
  trouble(options?: { readonly queue?: string }): Promise<Trouble>;
  /** Reads and changes queues: their counts, pauses and settings. */
  readonly queues: Queues;
  /** Lists the workers of all servers that share the store. */
  readonly workers: Workers;
  /**
   * Runs dead tasks of a queue again, with fresh attempts: all that match the filters, or with `dryRun` only counts them.
   * Each call to the server changes at most 1,000 tasks and examines about 20,000. Needs the permission `admin`.
   *
   * @throws HoldfastError INVALID_ARGUMENT if a filter is wrong, or NOT_FOUND, reason QUEUE_UNKNOWN.
   *
   * @example
   * ```ts
   * const { matched } = await client.redrive({ queue: 'mail', type: 'send-email', dryRun: true });
   * console.log(`${matched} dead tasks would run again`);
   * ```
   */
  redrive(options?: RedriveOptions): Promise<Redriven>;
  /**
   * Starts a worker in this process. The worker connects in the background and keeps reconnecting, so `work` also
   * resolves while the server cannot be reached; a refusal by the server rejects `running.done`.
   *
   * @throws HoldfastError CANCELLED, reason ABANDONED, if the client is closed.
   *
   * @example
   * ```ts
   * const running = await client.work(worker);
   * process.once('SIGTERM', () => void running.drain({ timeout: '20s' }));
   * await running.done;
   * ```
   */
  work(worker: WorkerSpec): Promise<RunningWorker>;
  /**
   * Drains the workers of this client, then closes the connection. Submissions that have not been accepted by then are
   * rejected. Calling `close` again returns the same promise. `await using` calls `close` at the end of the block.
   */
  close(): Promise<void>;
}

/**
 * A client that runs no workers: `connect` of `holdfast/client` returns it. It submits tasks, reads them and waits for their
 * results.
 */
export type SubmitClient = Omit<Client, 'work'>;

/** Options of `createClient`. Most programs use `connect` and `ConnectOptions` instead. */
export interface ClientOptions {
  /** The clock for timeouts, retries and heartbeats. */
  readonly clock: Clock;
  /** The tenant of all calls. Default: the only tenant of the client's identity, otherwise `default`. */
  readonly tenant?: string | undefined;
  /** How long a failed call is retried while the server is unreachable or overloaded. Default: 30 s. */
  readonly retryFor?: Duration | undefined;
  /** The log of the client, of its workers, and of `context.log` in handlers. Default: nothing is logged. */
  readonly log?: Logger | undefined;
  /** The name of workers whose definition has no name. Default: `worker`. */
  readonly workerName?: string | undefined;
  /**
   * True if the server is in this process, so that workers need not fetch tasks ahead: each task begins when it is
   * claimed. Default: false.
   */
  readonly beginsAtOnce?: boolean | undefined;
  /** Records the spans of submissions and attempts. Default: none are recorded. */
  readonly tracing?: Tracing | undefined;
  /** Counts the operations that the program waits for; `connect` uses it to keep the Node.js process alive. */
  readonly presence?: Presence | undefined;
  /** Counts the calls and the attempts of this client. Default: nothing is counted. */
  readonly metrics?: WorkerMetrics | undefined;
  /** Starts the workers of the client. Without it `work` is refused, and no part of a worker is in the graph of the client. */
  readonly startWorker?: StartWorker | undefined;
}

const retryForDefault: Duration = '30s';
const logRetryEveryMs = 10_000;
const pageLimit = numberRule(whole(0, limits.pageItems, 'tasks'));

/** A client as Holdfast's own parts use it. */
export interface InnerClient extends Client {
  /** Submits a task for a handler. */
  readonly submitChild: SubmitChild;
}

class TransportClient implements InnerClient {
  readonly #transport: Transport;
  readonly #options: ClientOptions;
  readonly #log: Logger;
  readonly #parts: HandleParts;
  readonly #presence: Presence;
  readonly #tracing: Tracing;
  readonly #submitter: Submitter;
  readonly #running = new Set<RunningWorker>();
  readonly queues: Queues;
  readonly workers: Workers;
  #closing: Promise<void> | undefined;
  #retryLoggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(unmetered: Transport, options: ClientOptions) {
    const { clock, metrics, tenant = '', retryFor = retryForDefault, presence = noPresence } = options;
    const transport = metrics === undefined ? unmetered : meteredTransport(unmetered, metrics, clock);
    const retryForMs = durationMs(retryFor, 'retryFor');
    this.#transport = transport;
    this.#options = options;
    this.#tracing = options.tracing ?? noTracing;
    this.#log = neverThrowing(options.log ?? silent);
    const onRetry = (error: HoldfastError): void => this.#logRetry(error, retryForMs);
    this.#submitter = new Submitter({ transport, clock, tenant, retryForMs, onRetry });
    this.#presence = presence;
    const caller = new Caller({ transport, clock, retryForMs, presence, onRetry });
    const watches = new Watches({ transport, clock, tenant });
    this.#parts = { transport, clock, tenant, caller, watches, presence };
    this.queues = createQueues(caller, tenant);
    this.workers = createWorkers(caller, tenant);
  }

  readonly submit: Submit = (task, input, options = {}) =>
    during(this.#presence, this.#submit(task as unknown as TaskType, input, options, undefined)) as Promise<
      SubmittedTask<never>
    >;

  async submitMany<N extends string, I extends Schema, O extends Schema>(
    task: TaskType<N, I, O>,
    items: Iterable<{ readonly input: StandardSchemaV1.InferInput<I> } & SubmitOptions>,
  ): Promise<readonly SubmitOutcome<StandardSchemaV1.InferOutput<O>>[]> {
    type ItemOutcome = SubmitOutcome<StandardSchemaV1.InferOutput<O>>;
    const submissions: Promise<ItemOutcome>[] = [];
    for (const { input, ...options } of items) {
      submissions.push(
        this.#submit(task as unknown as TaskType, input, options, undefined).then(
          (handle): ItemOutcome => ({
            ok: true,
            task: handle as SubmittedTask<StandardSchemaV1.InferOutput<O>>,
          }),
          (thrown: unknown): ItemOutcome => ({ ok: false, error: asHoldfastError(thrown) }),
        ),
      );
    }
    return during(this.#presence, Promise.all(submissions));
  }

  task(id: string, task?: object): TaskHandle<never> {
    return taskHandle(this.#parts, id, task as TaskType | undefined);
  }

  get(id: string): Promise<TaskStatus> {
    return this.task(id).status();
  }

  async getByKey(
    idempotencyKey: string,
    { queue = 'default' }: { readonly queue?: string } = {},
  ): Promise<TaskStatus> {
    const { caller, tenant } = this.#parts;
    const request = { tenant, queue, idempotencyKey, view: TaskView.FULL };
    const { task } = await caller.call(TaskService.method.getTaskByKey, request);
    if (task === undefined) throw asHoldfastError(new Error('the server answered without a task'));
    return statusOf(task);
  }

  async list(options: ListOptions = {}): Promise<TaskPage> {
    const { state, acceptedFrom, acceptedUntil, limit = 0 } = options;
    requireValid('limit', pageLimit, limit);
    const { caller, tenant } = this.#parts;
    const request: ListRequest = {
      tenant,
      queue: options.queue ?? 'default',
      state: state === undefined || state === 'retrying' ? 0 : stateNumbers[state],
      retrying: state === 'retrying',
      type: options.type ?? '',
      tag: options.tag ?? '',
      orderingKey: options.orderingKey ?? '',
      acceptedFromMs: BigInt(acceptedFrom?.getTime() ?? 0),
      acceptedUntilMs: BigInt(acceptedUntil?.getTime() ?? 0),
      pageSize: limit || defaults.pageItems,
      pageToken: options.pageToken ?? '',
    };
    const listed = await listTasks(request, (page) => caller.call(TaskService.method.listTasks, page));
    const { tasks, nextPageToken, examined, examinedUntilMs, isCut } = listed;
    return {
      tasks: tasks.map(statusOf),
      nextPageToken: nextPageToken === '' ? undefined : nextPageToken,
      examined,
      examinedUntil: examinedUntilMs === undefined ? undefined : new Date(examinedUntilMs),
      isCut,
    };
  }

  async trouble({ queue = '' }: { readonly queue?: string } = {}): Promise<Trouble> {
    const { caller, tenant } = this.#parts;
    return troubleOf(await caller.call(TaskService.method.listTrouble, { tenant, queue }));
  }

  async redrive(options: RedriveOptions = {}): Promise<Redriven> {
    const { caller, tenant } = this.#parts;
    const { acceptedFrom, acceptedUntil, dryRun = false, limit = mostRedriven } = options;
    const request = {
      tenant,
      queue: options.queue ?? 'default',
      type: options.type ?? '',
      tag: options.tag ?? '',
      acceptedFromMs: BigInt(acceptedFrom?.getTime() ?? 0),
      acceptedUntilMs: BigInt(acceptedUntil?.getTime() ?? 0),
      dryRun,
      pageToken: options.pageToken ?? '',
    };
    return redriveAll(request, limit, (page) => caller.call(TaskService.method.redriveTasks, page));
  }

  async work(worker: WorkerSpec): Promise<RunningWorker> {
    if (this.#closing !== undefined) throw closedError();
    const { clock, metrics, tenant = '', workerName = 'worker', beginsAtOnce = false } = this.#options;
    const { startWorker } = this.#options;
    if (startWorker === undefined) throw submitsOnly();
    const running = startWorker(worker, {
      transport: this.#transport,
      clock,
      tenant,
      log: this.#log,
      workerName,
      beginsAtOnce,
      metrics,
      tracing: this.#tracing,
      submit: this.submitChild,
    });
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    void during(this.#presence, running.done).then(forget, forget);
    return running;
  }

  readonly submitChild: SubmitChild = (task, input, options, parent) =>
    this.#submit(task, input, options, parent);

  close(): Promise<void> {
    this.#closing ??= during(this.#presence, this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Logs a retried call, at most once in ten seconds: while the server is unreachable, every call is retried. */
  #logRetry(err: HoldfastError, retryForMs: number): void {
    const nowMs = this.#parts.clock.monotonic();
    if (nowMs - this.#retryLoggedAtMs < logRetryEveryMs) return;
    this.#retryLoggedAtMs = nowMs;
    this.#log.warn({ err, help: err.help }, `${err.message} Trying again for up to ${retryForMs / 1_000} s.`);
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#running].map((running) => running.drain()));
    this.#submitter.close();
    this.#parts.caller.close();
    this.#parts.watches.close();
    await this.#transport.close();
  }

  async #submit(
    task: TaskType,
    input: unknown,
    options: SubmitOptions,
    parent: ParentTask | undefined,
  ): Promise<SubmittedTask<unknown>> {
    const built = buildSubmission(this.#parts.clock, task, input, options, parent);
    const outbound = built instanceof Promise ? await built : built;
    const ok: SubmitOk = this.#tracing.isOn
      ? await this.#submitTraced(task.name, outbound, options.traceparent)
      : await this.#submitter.submit(outbound.queue, outbound.item);
    return submittedTask(this.#parts, task, ok);
  }

  #submitTraced(
    type: string,
    outbound: OutboundSubmission,
    traceparent: string | undefined,
  ): Promise<SubmitOk> {
    const { submission, span } = traceSubmission(this.#tracing, type, outbound, traceparent);
    const submitted = this.#submitter.submit(submission.queue, submission.item);
    return span === undefined ? submitted : endingSpan(span, submitted);
  }
}

function submitsOnly(): HoldfastError {
  const message = 'This client runs no workers: its connect() is that of holdfast/client.';
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
    help: "Use `import { connect } from 'holdfast/worker'`, or from 'holdfast'.",
  });
}

/** Creates a client over the given transport. It can run workers if `options.startWorker` is given. */
export function clientOver(transport: Transport, options: ClientOptions): InnerClient {
  return new TransportClient(transport, options);
}
