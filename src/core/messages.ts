/**
 * The messages of the most frequent API calls as plain values: numbers instead of bigints, and the spec (task
 * type, ordering key, payload) as raw bytes. The folder codec/ encodes these messages to the same bytes as
 * the messages of the same names in proto/holdfast/v1. All other messages use generated code. Times and
 * durations are in ms; an absent optional value is undefined.
 */
import type { SpecPeek } from './codec/spec.ts';
import type { Code, Reason, Violation } from './errors.ts';
import type { OptionsRequest } from './submission/submission.ts';
import type { Progress, ShownState } from './task/head.ts';

export interface SubmitItem {
  /** The idempotency key; empty if the caller gave none. */
  readonly key: string;
  /** The bytes of a `holdfast.v1.Spec`, as they were received. */
  readonly spec: Uint8Array;
  readonly options: OptionsRequest;
  readonly traceparent: string;
}

/** A submission whose spec the API has decoded already, so that its names are not read again. */
export interface CheckedItem extends SubmitItem {
  readonly names?: SpecPeek;
}

export interface SubmitBatch {
  /** The tenant of the tasks; empty stands for the caller's own tenant. */
  readonly tenant: string;
  readonly queue: string;
  readonly items: readonly SubmitItem[];
}

/** The error of one item of a batch call, as the response to the call carries it. */
export interface ItemError {
  readonly code: Code;
  readonly reason: Reason;
  readonly message: string;
  readonly help: string | undefined;
  readonly taskId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly violations: readonly Violation[];
}

export interface SubmitOk {
  readonly id: string;
  readonly deduplicated: boolean;
  readonly state: ShownState;
  readonly version: number;
  readonly error: undefined;
}

export interface SubmitFailure {
  readonly error: ItemError;
}

export type SubmitResult = SubmitOk | SubmitFailure;

export interface SubmitBatchResult {
  readonly results: readonly SubmitResult[];
}

/** A SubmitTasks call on a stream of submissions. */
export interface StreamedBatch {
  /** Chosen by the client; the answer carries it. */
  readonly batch: number;
  /** The batch is refused if its commit has not begun this many ms after its arrival; 0: no limit. */
  readonly timeoutMs: number;
  readonly request: SubmitBatch;
}

export type SubmitStreamRequest =
  | { readonly kind: 'batches'; readonly batches: readonly StreamedBatch[] }
  | { readonly kind: 'keepAlive' };

/** The answer to one batch of a stream: the results of its items, or the error with which it was refused as a whole. */
export type StreamedResult =
  | { readonly batch: number; readonly results: readonly SubmitResult[]; readonly error: undefined }
  | { readonly batch: number; readonly error: ItemError };

export type SubmitStreamResponse =
  | { readonly kind: 'results'; readonly results: readonly StreamedResult[] }
  | { readonly kind: 'drain' }
  | { readonly kind: 'keepAlive' };

export interface HandledTypeMessage {
  readonly type: string;
  readonly maxVersion: number;
  /** How many tasks of this type alone may be assigned at first; absent if the type has no limit of its own. */
  readonly tasks?: number | undefined;
}

/** Credits for tasks of one type that has a limit of its own. */
export interface TypeCredit {
  readonly type: string;
  readonly tasks: number;
}

/** Names one attempt of a task. */
export interface AttemptReference {
  readonly id: string;
  readonly fencingToken: number;
}

/** The report that the handler of an attempt was called, with the encoded lease as proof. */
export interface BegunAttempt extends AttemptReference {
  /** The encoded lease; no bytes if the worker sent none. */
  readonly lease: Uint8Array;
}

export type WorkRequest =
  | {
      readonly kind: 'hello';
      readonly tenant: string;
      readonly workerName: string;
      readonly workerId: string;
      readonly queues: readonly string[];
      readonly types: readonly HandledTypeMessage[];
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
  /** Raises the worker's credits: how many more tasks and bytes the worker takes, and how many more of single types. */
  | {
      readonly kind: 'credit';
      readonly tasks: number;
      readonly bytes: number;
      readonly types: readonly TypeCredit[];
    }
  /**
   * Acknowledges all assignment messages up to the sequence number `seq`, and reports the attempts whose handlers the
   * worker calls now: `begun` by their places in the order of assignment on this stream (from 1), `attempts` those of
   * tasks from an earlier stream. `kept` are tasks that the worker has not begun.
   */
  | {
      readonly kind: 'received';
      readonly seq: number;
      readonly begun: readonly number[];
      readonly attempts: readonly BegunAttempt[];
      /** The leases of tasks that the worker kept from an earlier stream and has not begun. */
      readonly kept: readonly Uint8Array[];
    }
  | { readonly kind: 'keepAlive' };

export interface Assignment {
  readonly id: string;
  /** The encoded lease. The worker sends it back unread with every heartbeat and settlement. */
  readonly lease: Uint8Array;
  readonly spec: Uint8Array;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly fencingToken: number;
  readonly key: string;
  readonly queue: string;
  readonly tenant: string;
  /** The duration of the lease, counted from receipt. Workers get durations, so that no two clocks need to agree. */
  readonly leaseMs: number;
  readonly timeoutMs: number;
  /** The time until the task's deadline, in ms; 0 if the task has none. */
  readonly deadlineInMs: number;
  readonly traceparent: string;
  readonly parentId: string;
  readonly tags: readonly string[];
  /** True if the worker must run nothing else beside this task, because the task's workers were lost before. */
  readonly alone: boolean;
  /** The number of workers that the task has lost since its submission or the last redrive. */
  readonly losses: number;
  /**
   * True if the worker must call the handler only after the store has recorded, by a heartbeat, that the attempt begins:
   * an earlier assignment was never acknowledged, maybe because the handler ended its process at once.
   */
  readonly recordsBegin: boolean;
  /**
   * Only for a task of a sampled trace: the traceparent of the parent of this attempt's span. Absent: the attempt begins a
   * new trace, which links to `traceparent`.
   */
  readonly attemptTraceparent?: string | undefined;
  /** Only for a task of a sampled trace: how long it was ready before this claim, if the server knows it. */
  readonly queuedMs?: number | undefined;
}

/**
 * Why an attempt must stop. With the causes `paused` and `rebalance` a worker gives the task back if its handler was
 * not called; an attempt that has begun goes on.
 */
export type CancelCause = 'cancelled' | 'deadline' | 'leaseLost' | 'timeout' | 'paused' | 'rebalance';

export type WorkResponse =
  | {
      readonly kind: 'welcome';
      readonly sessionId: string;
      readonly node: string;
      readonly leaseMs: number;
      readonly heartbeatMs: number;
    }
  | { readonly kind: 'assignments'; readonly seq: number; readonly tasks: readonly Assignment[] }
  | {
      readonly kind: 'cancel';
      readonly id: string;
      readonly fencingToken: number;
      readonly cause: CancelCause;
    }
  | { readonly kind: 'drain' }
  | { readonly kind: 'keepAlive' };

export type OutcomeKind = 'succeeded' | 'failed' | 'fatal' | 'snoozed' | 'released' | 'cancelled' | 'lost';

export interface Settlement {
  readonly lease: Uint8Array;
  readonly outcome: OutcomeKind;
  /** The result as the bytes of a `holdfast.v1.Payload`. A success may have no result. */
  readonly result: Uint8Array | undefined;
  readonly message: string;
  readonly errorType: string;
  readonly afterMs: number | undefined;
  /** For the outcome `released`: true if the handler had been called. */
  readonly begun: boolean;
  /** The traceparent of the worker's span of this report. Absent: the attempt is in no sampled trace. */
  readonly traceparent?: string | undefined;
}

export interface HeartbeatItem {
  readonly lease: Uint8Array;
  /** True once the handler was called, or is about to be called. */
  readonly begun: boolean;
  readonly progress: Progress | undefined;
}

export type ReportRequest =
  | {
      readonly kind: 'hello';
      readonly sessionId: string;
      readonly workerId: string;
      readonly tenant: string;
      /** The number of hello messages that the worker has sent on the session's Work stream; 0 or absent: not named. */
      readonly hellos?: number;
    }
  | { readonly kind: 'settlements'; readonly batch: number; readonly items: readonly Settlement[] }
  | { readonly kind: 'heartbeats'; readonly batch: number; readonly items: readonly HeartbeatItem[] }
  | { readonly kind: 'keepAlive' };

export type SettleResult =
  | { readonly state: ShownState; readonly error: undefined }
  | { readonly error: ItemError };

export type HeartbeatAnswer =
  | { readonly verdict: 'renewed'; readonly leaseMs: number }
  | { readonly verdict: 'cancel'; readonly cause: CancelCause }
  | { readonly verdict: 'leaseLost' }
  /** The node could not check the lease now; the worker sends the heartbeat again. */
  | { readonly verdict: 'error'; readonly error: ItemError };

export type ReportResponse =
  | {
      readonly kind: 'settled';
      readonly batch: number;
      readonly results: readonly SettleResult[];
      /**
       * True if the node returned the settled tasks' credits to the session. Otherwise the worker sends new credits
       * itself.
       */
      readonly credited: boolean;
    }
  | { readonly kind: 'heartbeats'; readonly batch: number; readonly answers: readonly HeartbeatAnswer[] }
  | { readonly kind: 'drain' }
  | { readonly kind: 'keepAlive' };
