/**
 * The hot messages of the wire as plain values: numbers instead of bigints, the spec as raw bytes. Their
 * encoding (codec/) has the same bytes as the messages of the same names in proto/holdfast/v1. Everything
 * else on the wire is generated code. Times and lengths are ms; an absent optional value is undefined.
 */
import type { Code, Reason, Violation } from './errors.ts';
import type { OptionsRequest } from './submission/submission.ts';
import type { Progress, ShownState } from './task/head.ts';

export interface SubmitItem {
  /** Empty: none was given. */
  readonly key: string;
  /** The bytes of a `holdfast.v1.Spec`, as they came. */
  readonly spec: Uint8Array;
  readonly options: OptionsRequest;
  readonly traceparent: string;
}

export interface SubmitBatch {
  /** Empty: the caller's own. */
  readonly tenant: string;
  readonly queue: string;
  readonly items: readonly SubmitItem[];
}

/** An error as an item of an answer carries it. */
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

export interface SubmitRefused {
  readonly error: ItemError;
}

export type SubmitResult = SubmitOk | SubmitRefused;

export interface SubmitBatchResult {
  readonly results: readonly SubmitResult[];
}

export interface HandledTypeMessage {
  readonly type: string;
  readonly maxVersion: number;
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
    }
  /** Additive. */
  | { readonly kind: 'credit'; readonly tasks: number; readonly bytes: number }
  /** All assignment messages up to `seq` arrived. */
  | { readonly kind: 'received'; readonly seq: number }
  | { readonly kind: 'keepAlive' };

export interface Assignment {
  readonly id: string;
  /** Opaque to the worker; echoed with every heartbeat and settlement. */
  readonly lease: Uint8Array;
  readonly spec: Uint8Array;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly fencingToken: number;
  readonly key: string;
  readonly queue: string;
  readonly tenant: string;
  /** From receipt on: workers are handed lengths, never compared clocks. */
  readonly leaseMs: number;
  readonly timeoutMs: number;
  /** 0: no deadline. */
  readonly deadlineInMs: number;
  readonly traceparent: string;
  readonly parentId: string;
  readonly tags: readonly string[];
}

export type CancelCause = 'cancelled' | 'deadline' | 'leaseLost' | 'timeout';

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

export type OutcomeKind = 'succeeded' | 'failed' | 'fatal' | 'snoozed' | 'released' | 'cancelled';

export interface Settlement {
  readonly lease: Uint8Array;
  readonly outcome: OutcomeKind;
  /** Bytes of a `holdfast.v1.Payload`; a success may have none. */
  readonly result: Uint8Array | undefined;
  readonly message: string;
  readonly errorType: string;
  readonly afterMs: number | undefined;
}

export interface HeartbeatItem {
  readonly lease: Uint8Array;
  readonly progress: Progress | undefined;
}

export type ReportRequest =
  | { readonly kind: 'hello'; readonly sessionId: string; readonly workerId: string; readonly tenant: string }
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
  /** Nothing is known of this lease now; try again. */
  | { readonly verdict: 'error'; readonly error: ItemError };

export type ReportResponse =
  | {
      readonly kind: 'settled';
      readonly batch: number;
      readonly results: readonly SettleResult[];
      /** This node returned the credits to the session; else the worker sends them itself. */
      readonly credited: boolean;
    }
  | { readonly kind: 'heartbeats'; readonly batch: number; readonly answers: readonly HeartbeatAnswer[] }
  | { readonly kind: 'drain' }
  | { readonly kind: 'keepAlive' };
