/**
 * The use cases, as the API and the runtime call them. Fields were checked against the limits before; tenants
 * are resolved. Failures are HoldfastErrors: rejected for a whole call, values for items of a batch.
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
import type { Scope } from '../core/submission/submission.ts';
import type { TaskEvent } from '../core/task/event.ts';
import type { Progress, ShownState } from '../core/task/head.ts';
import type { Filter, QueueCounts, QueueRef, Snapshot, Verified } from '../ports/task-store.ts';

/** A task as read, and what only the service knows of it. */
export interface TaskView {
  readonly snapshot: Snapshot;
  /** Bytes of a `holdfast.v1.Payload`, where asked for and there. */
  readonly result: Uint8Array | undefined;
  /** The task that this one's lane waits for. */
  readonly waitingFor: string | undefined;
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
  /** First credits. */
  readonly tasks: number;
  readonly bytes: number;
}

/** What a session says to its worker. */
export interface SessionSink {
  /** `seq` counts up from 1. */
  assign(seq: number, tasks: readonly Assignment[]): void;
  /** Bytes that the stream takes now without waiting for its reader. Absent: any number. */
  roomBytes?(): number;
  cancel(id: string, fencingToken: number, cause: CancelCause): void;
  /** This node stops giving work: open the next stream elsewhere. */
  drain(): void;
  /** This worker gets no work, and why: a queue that it named is unknown. */
  refuse?(error: HoldfastError): void;
}

/** One worker's stream of assignments. */
export interface Session {
  readonly id: string;
  /** Additive. */
  credit(tasks: number, bytes: number): void;
  /** A hello again: the credits are these. */
  reset(tasks: number, bytes: number): void;
  received(seq: number): void;
  /** The stream has taken something of what was assigned: there may be room again. */
  taken(): void;
  /** Gives no more work and says so to the worker (`SessionSink.drain`). Idempotent. */
  drain(): void;
  /** The stream is gone: assignments without a word from the worker are released. Idempotent. */
  close(): void;
}

/** Whose settlements and heartbeats these are. */
export interface ReportContext {
  readonly tenant: string;
  /** A lease tells nothing of its queue before it is read: why one of this queue is refused. Absent: none is. */
  readonly refuse?: ((queue: string) => HoldfastError | undefined) | undefined;
}

export interface SettleContext extends ReportContext {
  /** The session whose credits a settlement returns, if it is on this node. */
  readonly sessionId: string | undefined;
}

export interface SettleAnswer {
  readonly results: readonly SettleResult[];
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
  /** Of a repeat, which is answered with the same assignments for a minute. Empty: none. */
  readonly requestId: string;
  /** The identity that asks: another's request id means nothing to it. */
  readonly caller?: string | undefined;
  /** The caller is gone: what was claimed for it is released. */
  readonly signal: AbortSignal;
  /** Told of each race for a task that this claim lost: CONFLICT, with who has it. Not told again to a repeat. */
  lost?(error: HoldfastError): void;
}

export interface RedriveManyRequest {
  readonly filter: Filter;
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
  /** Empty: all of the tenant's. */
  readonly queues: readonly string[];
  /** Looks and changes nothing; what it looked at is hidden meanwhile. */
  readonly dryRun: boolean;
  /** What is nothing of ours is dropped too. */
  readonly dropUnreadable: boolean;
  /** Of each queue so many are examined at most. */
  readonly limit: number;
  /** Ends it in order: what was not dropped is given back. */
  readonly signal: AbortSignal;
}

/** What became of one queue's dead letters; with `dryRun`, what would have. */
export interface DrainedDeadLetters extends QueueRef {
  /** All of the following. */
  readonly examined: number;
  /** The task is dead; or it is not known yet; or they could not be dropped. */
  readonly kept: number;
  /** The task is no longer dead, and needs no bell. */
  readonly dropped: number;
  /** The task was waiting or running: its bell was rung, then they were dropped. */
  readonly sent: number;
  /** Nothing that this version wrote: kept, or dropped where that was asked for. */
  readonly unreadable: number;
  /** The message ids of the first hundred of these. */
  readonly unreadableIds: readonly string[];
  /** False: there may be more. */
  readonly isComplete: boolean;
}

export interface QueueView extends QueueRef {
  readonly paused: boolean;
  readonly onDead: 'release' | 'hold';
  /** Of all nodes, as far as they tell of them. */
  readonly workers: number;
  readonly counts: QueueCounts;
}

/** A worker's stream on this node, or what another node tells of one. */
export interface WorkerView {
  readonly tenant: string;
  readonly name: string;
  readonly id: string;
  readonly queues: readonly string[];
  readonly types: readonly string[];
  /** Of each type, in the same order: the highest version that it handles. */
  readonly maxVersions: readonly number[];
  readonly inFlight: number;
  readonly connectedAtMs: number;
  /** That gives it work. */
  readonly node: string;
  /** So many more of that node handle the same types of the same queues, and have no view of their own. */
  readonly othersAlike: number;
}

/** The workers of all nodes that share the store. */
export interface KnownWorkers {
  readonly workers: readonly WorkerView[];
  /** False: there are others, which are not told. */
  readonly isComplete: boolean;
}

export interface Service {
  /** A result an item, in order. `notAfterMs`: not begun later than this. */
  submit(
    target: QueueRef,
    items: readonly SubmitItem[],
    call: { readonly notAfterMs: number | undefined },
  ): Promise<readonly SubmitResult[]>;
  /** NOT_FOUND where there is none, it has expired, or it is another tenant's. */
  get(tenant: string, id: string, withResult: boolean): Promise<TaskView>;
  getByKey(scope: Scope, withResult: boolean): Promise<TaskView>;
  list(filter: Filter, page: { limit: number; cursor: string | undefined }): Promise<TaskPage>;
  history(tenant: string, id: string, fromVersion: number): Promise<readonly TaskEvent[]>;
  /** Whether a task's events are those that were written. FAILED_PRECONDITION where the store cannot tell. */
  verify(tenant: string, id: string): Promise<Verified>;
  /** Events after `fromVersion`, then those to come, until the task ends or the signal is aborted. */
  watch(tenant: string, id: string, fromVersion: number, signal: AbortSignal): AsyncIterable<WatchUpdate>;
  cancel(
    tenant: string,
    id: string,
    by: { readonly actor: string; readonly message: string },
  ): Promise<TaskView>;
  redrive(tenant: string, id: string, actor: string): Promise<TaskView>;
  redriveMany(request: RedriveManyRequest): Promise<RedriveManyResult>;
  /** For whoever operates the engine's own queues; FAILED_PRECONDITION where the engine has none of that kind. */
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
  /** Those of other nodes as these told last, at most three minutes ago. `queue` undefined: of all queues. */
  workers(tenant: string, queue: string | undefined): Promise<KnownWorkers>;
}
