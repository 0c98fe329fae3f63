/**
 * The use cases of the service (submit, claim, settle …), as the API and the runtime call them. The caller has already
 * checked all fields against the limits and resolved the tenant. All failures are HoldfastErrors: a failed call rejects,
 * and a failed item of a batch has its error in its result.
 */
import type { HoldfastError } from '../core/errors.ts';
import type { Trouble } from '../core/explain/trouble-sentence.ts';
import type { Verdict, VerdictCode } from '../core/explain/verdict.ts';
import type {
  Assignment,
  BegunAttempt,
  CancelCause,
  CheckedItem,
  HandledTypeMessage,
  HeartbeatAnswer,
  HeartbeatItem,
  Settlement,
  SettleResult,
  SubmitResult,
  TypeCredit,
} from '../core/messages.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import type { Scope } from '../core/submission/submission.ts';
import type { TaskEvent } from '../core/task/event.ts';
import type { Progress, ShownState } from '../core/task/head.ts';
import type { HistoryVerification, QueueCounts, Snapshot, TaskFilter } from '../ports/task-store.ts';
import type { QueueChange, QueuePause } from './admin/queue-settings.ts';

/** A task's snapshot, with the task's result and the id of the task that blocks it in its lane. */
export interface TaskDetails {
  readonly snapshot: Snapshot;
  /**
   * The task's result, as the bytes of a `holdfast.v1.Payload`; undefined if the result was not requested or the task has
   * none.
   */
  readonly result: Uint8Array | undefined;
  /** The id of the first unfinished task of this task's lane, if this task waits behind that one. */
  readonly blockedByTaskId: string | undefined;
}

/** A task, with the cause for which it has not completed or the way in which it has ended. */
export interface ExplainedDetails {
  readonly details: TaskDetails;
  readonly verdict: Verdict;
}

export interface TroubleRequest {
  readonly tenant: string;
  /** Only this queue; undefined: all queues of the tenant that the caller may read. */
  readonly queue: string | undefined;
  mayRead(queue: string): boolean;
}

/** The unfinished tasks of some queues: those in trouble in groups by their cause, the others counted by their verdict. */
export interface TroubleView {
  readonly groups: readonly Trouble[];
  /** The number of groups that are left out of `groups`. */
  readonly moreGroups: number;
  readonly healthy: ReadonlyMap<VerdictCode, number>;
  readonly examined: number;
  readonly explained: number;
  /** The number of unfinished tasks without a verdict, because their lanes were too many. */
  readonly unexplained: number;
  /** The queues with older tasks that were not examined. */
  readonly cutQueues: readonly { readonly queue: string; readonly examinedUntilMs: number | undefined }[];
  readonly areWorkersComplete: boolean;
  /** True if the store is a table, where the reads cost read units. */
  readonly areReadsBilled: boolean;
  readonly atMs: number;
}

/** The filter of a list of tasks. Its state is one that users see: the store's filter does not know `reserved`. */
export interface ListFilter extends Omit<TaskFilter, 'state'> {
  readonly state?: ShownState | 'retrying' | 'unfinished' | undefined;
}

export interface TaskPage {
  readonly items: readonly Snapshot[];
  readonly cursor: string | undefined;
  readonly examined: number;
  readonly examinedUntilMs: number | undefined;
}

export type WatchUpdate =
  | {
      readonly kind: 'event';
      readonly version: number;
      readonly event: TaskEvent;
      readonly state: ShownState;
    }
  | { readonly kind: 'progress'; readonly progress: Progress };

/** An update of a task that a stream watches, or the error with which the watch of that task has ended. */
export type WatchedUpdate =
  | { readonly id: string; readonly update: WatchUpdate; readonly error?: undefined }
  | { readonly id: string; readonly error: HoldfastError; readonly update?: undefined };

/** The watches of one stream: many tasks, whose updates the stream takes as fast as its client reads them. */
export interface TaskWatches {
  /** The number of watched tasks that have not ended, or whose last updates were not taken. */
  readonly count: number;
  /** Begins to watch a task. The events after the version `fromVersion` come first, then each new event. */
  add(tenant: string, id: string, fromVersion: number): void;
  /** Returns the next update of one of the tasks, which take turns; undefined if there is none now. */
  take(): WatchedUpdate | undefined;
  /** Ends all watches. Idempotent. */
  close(): void;
}

export interface WorkerHello {
  readonly tenant: string;
  readonly workerName: string;
  readonly workerId: string;
  readonly queues: readonly string[];
  readonly types: readonly HandledTypeMessage[];
  /**
   * The worker's initial credits: how many tasks it can take, and how many bytes of payload. `types` says how many tasks
   * of a type with a limit of its own.
   */
  readonly tasks: number;
  readonly bytes: number;
  /** True if the worker reports each attempt before it calls the handler; false if an assigned task counts as begun. */
  readonly reportsBegun: boolean;
  /**
   * True if the worker keeps a task that must run alone until nothing else runs in its process, and reports its beginning.
   * False or absent: the worker gets such a task as its only task, and begins it as it begins others.
   */
  readonly runsAlone?: boolean | undefined;
}

/** Sends a session's messages to its worker. */
export interface SessionSink {
  /** Sends claimed tasks to the worker in one message. `seq` numbers these messages from 1 in each session. */
  assign(seq: number, tasks: readonly Assignment[]): void;
  /**
   * Returns how many bytes the worker's stream accepts now without waiting until the worker reads. If absent, there is no
   * limit.
   */
  roomBytes?(): number;
  /**
   * Counts `bytes` more payload bytes of tasks that were taken for the worker and are not sent yet; less if `bytes` is
   * negative. `roomBytes` is lower by these bytes.
   */
  taking?(bytes: number): void;
  cancel(id: string, fencingToken: number, cause: CancelCause): void;
  /** Tells the worker that this node gives it no more tasks, so that the worker opens its next stream on another node. */
  drain(): void;
  /** Ends the worker's stream with an error, because the worker named a queue that does not exist. */
  refuse?(error: HoldfastError): void;
}

/** One worker's stream of assignments. */
export interface Session {
  readonly id: string;
  /** Adds to the worker's credits. */
  credit(tasks: number, bytes: number, types: readonly TypeCredit[]): void;
  /** Replaces the worker's credits after the worker has sent its hello message again. */
  reset(hello: Pick<WorkerHello, 'tasks' | 'bytes' | 'types'>): void;
  /**
   * Records that the worker has received all assignments before the one with the number `seq`, and the first `tasks` tasks of
   * that one; without `tasks` all of them.
   */
  received(seq: number, tasks?: number): void;
  /**
   * Records the attempts whose handlers the worker calls now: by their places in the order of assignment of this
   * session (from 1), or, for tasks of an earlier session, by name.
   */
  begun(places: readonly number[], attempts: readonly BegunAttempt[]): void;
  /** Takes the leases of tasks that the worker kept from an earlier session and whose handlers it has not called. */
  kept(leases: readonly Uint8Array[]): void;
  /** Records that the worker is alive although it has nothing to say. */
  keepAlive(): void;
  /** Reports that the worker's stream has passed on some of its buffered data and may have room for more assignments. */
  roomFreed(): void;
  /** Stops giving tasks to the worker, and tells the worker so (`SessionSink.drain`). Idempotent. */
  drain(): void;
  /** Ends the session after its stream has closed, and releases the unacknowledged assignments. Idempotent. */
  close(): void;
}

/** The worker that sends settlements and heartbeats: its tenant, and the queues whose tasks it may report on. */
export interface ReportContext {
  readonly tenant: string;
  /**
   * Returns the error if the worker may not report on tasks of this queue. This is a callback because a lease does not name
   * the queue: the task must be read first. If absent, the worker may report on tasks of all queues.
   */
  readonly refuse?: ((queue: string) => HoldfastError | undefined) | undefined;
}

export interface SettleContext extends ReportContext {
  /** The session that gets the credits of the settled tasks back, if that session is on this node. */
  readonly sessionId: string | undefined;
  /**
   * The number of hello messages by which the session's credits had been set when the worker sent the settlements. The
   * credits count only as long as there was no further one. Absent: as many as the session has received by now.
   */
  readonly hellos?: number | undefined;
}

export interface SettleAnswer {
  readonly results: readonly SettleResult[];
  /** True if the credits of the settled tasks went back to a session on this node. */
  readonly credited: boolean;
}

export interface ClaimRequest {
  readonly tenant: string;
  readonly workerName: string;
  readonly workerId: string;
  readonly queues: readonly string[];
  /** `tasks` of a type is the most of this type in the response; absent: the type has no limit of its own. */
  readonly types: readonly HandledTypeMessage[];
  readonly maxTasks: number;
  readonly waitMs: number;
  /**
   * Identifies the claim request: a repeat within a minute gets the same assignments. Empty if the caller never repeats the
   * request.
   */
  readonly requestId: string;
  /**
   * The authenticated identity that sends the claim request. A request id is only valid for the identity that used it
   * first.
   */
  readonly caller?: string | undefined;
  /**
   * This signal is aborted when the caller of the claim has disconnected; the tasks that were claimed for that caller are
   * then released.
   */
  readonly signal: AbortSignal;
  /** This signal ends the wait for tasks when the node drains; tasks that were claimed before are assigned. */
  readonly stopWaiting?: AbortSignal | undefined;
  /**
   * Called for each task that another worker claimed first, but not when a repeated request gets its earlier assignments
   * again. The error (CONFLICT) names that worker.
   */
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
  readonly examined: number;
  readonly examinedUntilMs: number | undefined;
  readonly cursor: string | undefined;
}

export interface DrainDeadLettersRequest {
  readonly tenant: string;
  /** The queues to drain. If empty, all queues of the tenant are drained. */
  readonly queues: readonly string[];
  /** True if the drain only examines the dead letters and drops none. The examined letters are hidden meanwhile. */
  readonly dryRun: boolean;
  /** True if messages of the dead-letter queue that Holdfast did not write are dropped too. */
  readonly dropUnreadable: boolean;
  /** The maximum number of dead letters to examine in each queue. */
  readonly limit: number;
  /** This signal stops the drain early; the dead letters that were received but not dropped are then made visible again. */
  readonly signal: AbortSignal;
}

/** The result of draining one queue's dead letters; with `dryRun`, the result that the drain would have had. */
export interface DrainedDeadLetters extends QueueRef {
  /** The number of dead letters examined: the sum of `kept`, `dropped`, `resent` and `unreadable`. */
  readonly examined: number;
  /**
   * The number of letters left in the dead-letter queue, because their task is dead or not known yet, or because the letter
   * could not be dropped.
   */
  readonly kept: number;
  /** The number of dead letters dropped because their task is no longer dead and needs no dispatch message. */
  readonly dropped: number;
  /**
   * The number of dead letters of a waiting or running task: for each, a new dispatch message was sent, then the letter was
   * dropped.
   */
  readonly resent: number;
  /**
   * The number of dead letters that this version of Holdfast cannot read. They are kept, or dropped with `dropUnreadable`.
   */
  readonly unreadable: number;
  /** The SQS message ids of the first hundred dead letters that this version of Holdfast cannot read. */
  readonly unreadableIds: readonly string[];
  /** False if the dead-letter queue may hold more letters than the drain examined. */
  readonly isComplete: boolean;
}

export interface RedispatchRequest {
  readonly queue: QueueRef;
  /** True if tasks are only counted and nothing is sent. */
  readonly dryRun: boolean;
  /** This signal ends the work after the current batch. */
  readonly signal: AbortSignal;
  /** Called after each page of tasks with the counts until then. */
  onProgress?(counts: Pick<Redispatched, 'examined' | 'needed' | 'sent' | 'failed'>): void;
}

/** The result of sending the dispatch messages of a queue's tasks again. */
export interface Redispatched extends QueueRef {
  /** How many tasks of the queue were examined, ended ones too. */
  readonly examined: number;
  /**
   * The messages that there must be: one for each unfinished task that waits for no time ahead and is the first of its lane, or
   * in none.
   */
  readonly needed: number;
  readonly sent: number;
  readonly failed: number;
  /** The first error of a message that could not be sent. */
  readonly error: HoldfastError | undefined;
  /** About how many messages the SQS queues held before, as SQS said. Undefined if the broker cannot know. */
  readonly messages: number | undefined;
  /** False if the work was interrupted. */
  readonly isComplete: boolean;
}

export interface QueueView extends QueueRef {
  readonly paused: boolean;
  readonly pause?: QueuePause | undefined;
  readonly onDead: 'release' | 'hold';
  /** The number of workers of this queue on all nodes, as far as the nodes have announced them. */
  readonly workers: number;
  /**
   * The numbers of the queue's tasks; undefined if they were not asked for. `running` are those whose handler was called, `reserved` those that wait in a
   * worker, as far as this node knows: a task that another node has assigned counts as running.
   */
  readonly counts?: (QueueCounts & { readonly reserved: number }) | undefined;
}

/**
 * One entry in the list of workers: a worker's stream on this node, a worker that claims by single calls to this node, a
 * worker that another node has announced by name, or,
 * with an empty name, all workers with equal queues and types that another node has counted but not named.
 */
export interface WorkerView {
  readonly tenant: string;
  readonly name: string;
  readonly id: string;
  readonly queues: readonly string[];
  readonly types: readonly string[];
  /** The highest version that the worker handles of each task type, in the order of `types`. */
  readonly maxVersions: readonly number[];
  /** The number of tasks that the worker holds, as far as its node knows. */
  readonly inFlight: number;
  /** The number of the tasks in `inFlight` whose handlers the worker has not called yet, as far as its node knows. */
  readonly reserved: number;
  readonly connectedAtMs: number;
  /** The name of the node that gives the worker its tasks. */
  readonly node: string;
  /**
   * 0 for a worker with a name. For an entry without a name, the number of workers of the node that handle these types of
   * these queues and are not listed by name.
   */
  readonly unlistedCount: number;
  /** True if the worker claims by single calls instead of a stream. It is then listed for a minute after its last call. */
  readonly polls: boolean;
  /** The room of a worker with a stream; undefined if its node has not said it. */
  readonly room?: WorkerRoom | undefined;
}

/** How many more tasks a worker, or the unnamed workers of an entry together, could take. */
export interface WorkerRoom {
  /** The number of further tasks. */
  readonly freeTasks: number;
  /** The types with a limit of their own of which a named worker can take no further task, if it has free tasks at all. */
  readonly fullTypes: readonly string[];
  /** When another node announced this, in ms since the epoch; undefined for a worker of this node. */
  readonly announcedAtMs?: number | undefined;
}

/** The workers of all nodes that share the store. */
export interface KnownWorkers {
  readonly workers: readonly WorkerView[];
  /**
   * False if some workers may be neither listed nor counted. The list then cannot show that no worker handles a task type.
   */
  readonly isComplete: boolean;
}

export interface Service {
  /**
   * Submits a batch of tasks. Returns one result per item, in order. Fails with DEADLINE_EXCEEDED if the commit has not
   * begun by `notAfterMs`, a time of the clock's `monotonic`.
   */
  submit(
    target: QueueRef,
    items: readonly CheckedItem[],
    call: { readonly notAfterMs: number | undefined },
  ): Promise<readonly SubmitResult[]>;
  /** Reads one task. Rejects with NOT_FOUND if the task does not exist, has expired or belongs to another tenant. */
  get(tenant: string, id: string, withResult: boolean): Promise<TaskDetails>;
  getByKey(scope: Scope, withResult: boolean): Promise<TaskDetails>;
  /**
   * Explains why a task has not completed, or how it ended, from one read of everything that decides it. Rejects with
   * NOT_FOUND as `get` does.
   */
  explain(tenant: string, id: string): Promise<ExplainedDetails>;
  explainByKey(scope: Scope): Promise<ExplainedDetails>;
  /**
   * Explains the unfinished tasks of one queue, or of all queues that the caller may read, newest first up to a bound. Rejects
   * with QUEUE_UNKNOWN if the queue does not exist.
   */
  trouble(request: TroubleRequest): Promise<TroubleView>;
  list(filter: ListFilter, page: { limit: number; cursor: string | undefined }): Promise<TaskPage>;
  history(tenant: string, id: string, fromVersion: number): Promise<readonly TaskEvent[]>;
  /** Checks that a task's history was not altered. Rejects with FAILED_PRECONDITION if the store keeps no hash chain. */
  verify(tenant: string, id: string): Promise<HistoryVerification>;
  /** Returns the watches of one stream. `changed` is called when `take` may have an update again. */
  watchTasks(changed: () => void): TaskWatches;
  cancel(
    tenant: string,
    id: string,
    by: { readonly actor: string; readonly message: string },
  ): Promise<TaskDetails>;
  redrive(tenant: string, id: string, actor: string): Promise<TaskDetails>;
  redriveMany(request: RedriveManyRequest): Promise<RedriveManyResult>;
  /**
   * Drops the letters of dead-letter queues whose tasks are no longer dead, on an operator's request. Rejects with
   * FAILED_PRECONDITION if the engine has no dead-letter queues.
   */
  drainDeadLetters(request: DrainDeadLettersRequest): Promise<readonly DrainedDeadLetters[]>;

  /**
   * Sends a dispatch message for each unfinished task of a queue, on an operator's request, after messages were lost. Rejects
   * with FAILED_PRECONDITION if the engine's messages are part of its store.
   */
  redispatch(request: RedispatchRequest): Promise<Redispatched>;

  openSession(hello: WorkerHello, sink: SessionSink): Session;
  settle(items: readonly Settlement[], context: SettleContext): Promise<SettleAnswer>;
  /** Returns the number of hello messages of a session by now; undefined if the session is not on this node. */
  hellosOf(sessionId: string): number | undefined;
  heartbeat(items: readonly HeartbeatItem[], context: ReportContext): Promise<readonly HeartbeatAnswer[]>;
  claim(request: ClaimRequest): Promise<readonly Assignment[]>;

  queues(tenant: string, options?: { readonly withoutCounts?: boolean }): Promise<readonly QueueView[]>;
  queue(ref: QueueRef): Promise<QueueView>;
  /** Changes a queue's configuration. Rejects with QUEUE_UNKNOWN if the queue does not exist and `create` is not set. */
  updateQueue(ref: QueueRef, change: QueueChange, actor: string): Promise<QueueView>;
  /**
   * Lists the workers of a queue, or of all queues if `queue` is undefined. The workers of other nodes are listed as those
   * nodes last announced them, at most three minutes ago.
   */
  workers(tenant: string, queue: string | undefined): Promise<KnownWorkers>;
}
