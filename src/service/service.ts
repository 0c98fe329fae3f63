/**
 * The use cases, as the API and the runtime call them. The caller has already checked all fields against the limits and
 * resolved the tenant. All failures are HoldfastErrors: a failed call rejects, and a failed item of a batch has its error
 * in its result.
 */
import type { HoldfastError } from '../core/errors.ts';
import type {
  Assignment,
  CancelCause,
  HandledTypeMessage,
  HeartbeatAnswer,
  HeartbeatItem,
  Settlement,
  SettleResult,
  SubmitItem,
  SubmitResult,
} from '../core/messages.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import type { Scope } from '../core/submission/submission.ts';
import type { TaskEvent } from '../core/task/event.ts';
import type { Progress, ShownState } from '../core/task/head.ts';
import type { HistoryVerification, QueueCounts, Snapshot, TaskFilter } from '../ports/task-store.ts';

/** A task's snapshot with the values that the service adds to it. */
export interface TaskDetails {
  readonly snapshot: Snapshot;
  /** The bytes of a `holdfast.v1.Payload`; undefined if the result was not requested or the task has none. */
  readonly result: Uint8Array | undefined;
  /** The id of the lane's first unfinished task, if this task waits behind it. */
  readonly blockedByTaskId: string | undefined;
}

export interface TaskPage {
  readonly items: readonly Snapshot[];
  readonly cursor: string | undefined;
  readonly examined: number;
}

export type WatchUpdate =
  | {
      readonly kind: 'event';
      readonly version: number;
      readonly event: TaskEvent;
      readonly state: ShownState;
    }
  | { readonly kind: 'progress'; readonly progress: Progress };

export interface WorkerHello {
  readonly tenant: string;
  readonly workerName: string;
  readonly workerId: string;
  readonly queues: readonly string[];
  readonly types: readonly HandledTypeMessage[];
  /** Initial credits: how many tasks the worker can take, and how many bytes of payload. */
  readonly tasks: number;
  readonly bytes: number;
}

/** Sends a session's messages to its worker. */
export interface SessionSink {
  /** Sends assignments. `seq` counts up from 1 in each session. */
  assign(seq: number, tasks: readonly Assignment[]): void;
  /** Returns how many bytes the stream takes now without waiting for its reader. If absent, there is no limit. */
  roomBytes?(): number;
  cancel(id: string, fencingToken: number, cause: CancelCause): void;
  /** Announces that this node gives no more work, so that the worker opens its next stream on another node. */
  drain(): void;
  /** Ends the worker's stream with an error, because the worker named a queue that does not exist. */
  refuse?(error: HoldfastError): void;
}

/** One worker's stream of assignments. */
export interface Session {
  readonly id: string;
  /** Adds to the worker's credits. */
  credit(tasks: number, bytes: number): void;
  /** Replaces the worker's credits after it has sent its hello again. */
  reset(tasks: number, bytes: number): void;
  /** Records that the worker has received all assignments up to `seq`. */
  received(seq: number): void;
  /** Reports that the stream has passed on some of its buffered data and may have room for more assignments. */
  roomFreed(): void;
  /** Stops giving work and announces that to the worker (`SessionSink.drain`). Idempotent. */
  drain(): void;
  /** Ends the session after its stream has closed, and releases the unacknowledged assignments. Idempotent. */
  close(): void;
}

/** The sender of settlements and heartbeats. */
export interface ReportContext {
  readonly tenant: string;
  /**
   * Returns the error if the sender may not report on tasks of this queue. It is a callback because a lease does not name
   * the queue: the task must be read first. If absent, the sender may report on all queues.
   */
  readonly refuse?: ((queue: string) => HoldfastError | undefined) | undefined;
}

export interface SettleContext extends ReportContext {
  /** The session whose credits a settlement returns, if it is on this node. */
  readonly sessionId: string | undefined;
}

export interface SettleAnswer {
  readonly results: readonly SettleResult[];
  /** True if the credits went back to a session on this node. */
  readonly credited: boolean;
}

export interface ClaimRequest {
  readonly tenant: string;
  readonly workerName: string;
  readonly workerId: string;
  readonly queues: readonly string[];
  readonly types: readonly HandledTypeMessage[];
  readonly maxTasks: number;
  readonly waitMs: number;
  /** Identifies the request: a repeat within a minute gets the same assignments. Empty for a request without repeats. */
  readonly requestId: string;
  /** The authenticated identity that sends the request. A request id is only valid for the identity that used it first. */
  readonly caller?: string | undefined;
  /** Aborted when the caller has disconnected; the tasks that were claimed for it are then released. */
  readonly signal: AbortSignal;
  /** Called for each task that another worker claimed first, but not on a repeat. The error (CONFLICT) names that worker. */
  onRaceLost?(error: HoldfastError): void;
}

export interface RedriveManyRequest {
  readonly filter: TaskFilter;
  readonly dryRun: boolean;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly actor: string;
}

export interface RedriveManyResult {
  readonly matched: number;
  readonly redriven: number;
  readonly refused: number;
  readonly cursor: string | undefined;
}

export interface DrainDeadLettersRequest {
  readonly tenant: string;
  /** The queues to drain. If empty, all queues of the tenant are drained. */
  readonly queues: readonly string[];
  /** Only examines the dead letters and drops none. The examined letters are hidden meanwhile. */
  readonly dryRun: boolean;
  /** True if messages that Holdfast did not write are dropped too. */
  readonly dropUnreadable: boolean;
  /** The most dead letters to examine in each queue. */
  readonly limit: number;
  /** Stops the drain early; the letters that were received but not dropped are made visible again. */
  readonly signal: AbortSignal;
}

/** The result of draining one queue's dead letters; with `dryRun`, the result that the drain would have had. */
export interface DrainedDeadLetters extends QueueRef {
  /** The number of dead letters examined: the sum of `kept`, `dropped`, `resent` and `unreadable`. */
  readonly examined: number;
  /** Letters left in the queue, because the task is dead or not known yet, or because the letter could not be dropped. */
  readonly kept: number;
  /** Letters dropped because their task is no longer dead and needs no dispatch message. */
  readonly dropped: number;
  /** Letters of a waiting or running task: a new dispatch message was sent, then the letter was dropped. */
  readonly resent: number;
  /** Messages that this version of Holdfast cannot read: kept, or dropped with `dropUnreadable`. */
  readonly unreadable: number;
  /** The message ids of the first hundred unreadable messages. */
  readonly unreadableIds: readonly string[];
  /** False if the queue may hold more dead letters. */
  readonly isComplete: boolean;
}

export interface QueueView extends QueueRef {
  readonly paused: boolean;
  readonly onDead: 'release' | 'hold';
  /** The number of workers on all nodes, as far as the nodes have announced them. */
  readonly workers: number;
  readonly counts: QueueCounts;
}

/**
 * A worker's stream on this node, a worker that another node has announced, or, without a name, all workers of one kind
 * that another node has counted and not named.
 */
export interface WorkerView {
  readonly tenant: string;
  readonly name: string;
  readonly id: string;
  readonly queues: readonly string[];
  readonly types: readonly string[];
  /** The highest version that the worker handles of each type, in the order of `types`. */
  readonly maxVersions: readonly number[];
  readonly inFlight: number;
  readonly connectedAtMs: number;
  /** The name of the node that gives the worker its tasks. */
  readonly node: string;
  /** 0 for a worker with a name. Otherwise how many workers of the node handle these types of these queues, unnamed. */
  readonly unlistedCount: number;
}

/** The workers of all nodes that share the store. */
export interface KnownWorkers {
  readonly workers: readonly WorkerView[];
  /** False if there may be workers that are neither listed nor counted: then it is not known that nobody handles a type. */
  readonly isComplete: boolean;
}

export interface Service {
  /** Returns one result per item, in order. Fails with DEADLINE_EXCEEDED if the commit has not begun by `notAfterMs`. */
  submit(
    target: QueueRef,
    items: readonly SubmitItem[],
    call: { readonly notAfterMs: number | undefined },
  ): Promise<readonly SubmitResult[]>;
  /** Rejects with NOT_FOUND if the task does not exist, has expired or belongs to another tenant. */
  get(tenant: string, id: string, withResult: boolean): Promise<TaskDetails>;
  getByKey(scope: Scope, withResult: boolean): Promise<TaskDetails>;
  list(filter: TaskFilter, page: { limit: number; cursor: string | undefined }): Promise<TaskPage>;
  history(tenant: string, id: string, fromVersion: number): Promise<readonly TaskEvent[]>;
  /** Checks that a task's history was not altered. Rejects with FAILED_PRECONDITION if the store keeps no hash chain. */
  verify(tenant: string, id: string): Promise<HistoryVerification>;
  /** Yields the events after `fromVersion`, then each new event, until the task ends or the signal is aborted. */
  watch(tenant: string, id: string, fromVersion: number, signal: AbortSignal): AsyncIterable<WatchUpdate>;
  cancel(
    tenant: string,
    id: string,
    by: { readonly actor: string; readonly message: string },
  ): Promise<TaskDetails>;
  redrive(tenant: string, id: string, actor: string): Promise<TaskDetails>;
  redriveMany(request: RedriveManyRequest): Promise<RedriveManyResult>;
  /** Drains dead-letter queues, for their operator. Rejects with FAILED_PRECONDITION if the engine has no such queues. */
  drainDeadLetters(request: DrainDeadLettersRequest): Promise<readonly DrainedDeadLetters[]>;

  openSession(hello: WorkerHello, sink: SessionSink): Session;
  settle(items: readonly Settlement[], context: SettleContext): Promise<SettleAnswer>;
  heartbeat(items: readonly HeartbeatItem[], context: ReportContext): Promise<readonly HeartbeatAnswer[]>;
  claim(request: ClaimRequest): Promise<readonly Assignment[]>;

  queues(tenant: string): Promise<readonly QueueView[]>;
  queue(ref: QueueRef): Promise<QueueView>;
  updateQueue(
    ref: QueueRef,
    change: { readonly paused?: boolean; readonly onDead?: 'release' | 'hold' },
    actor: string,
  ): Promise<QueueView>;
  /**
   * Lists the workers of a queue, or of all queues if `queue` is undefined. The workers of other nodes are listed as those
   * nodes last announced them, at most three minutes ago.
   */
  workers(tenant: string, queue: string | undefined): Promise<KnownWorkers>;
}
