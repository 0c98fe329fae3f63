/** The messages between a worker and the process in which it runs one task that must run alone. */
import type { AbortKind } from '../../client/errors.ts';
import type { AttemptOutcome } from '../../client/worker/outcome.ts';
import type { Assignment, ItemError, SubmitBatch, SubmitBatchResult } from '../../core/messages.ts';
import type { Progress } from '../../core/task/head.ts';

/** A call that the handler's process makes through the connection of the worker. Requests and answers are encoded. */
export type RelayedCall =
  | { readonly to: 'submit'; readonly batch: SubmitBatch; readonly traceparent: string | undefined }
  | { readonly to: 'call'; readonly method: string; readonly request: Uint8Array }
  | { readonly to: 'watch'; readonly request: Uint8Array };

/** A message of the handler's process to the worker. */
export type AloneReport =
  /** The process has loaded the worker's module and can run an attempt. */
  | { readonly kind: 'ready' }
  /** The handler is called as soon as this message is sent. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** The attempt has ended, and so does the process. `outcome` is undefined if the attempt has lost its lease. */
  | { readonly kind: 'ended'; readonly outcome: AttemptOutcome | undefined }
  /** The process cannot run the attempt, and ends. */
  | { readonly kind: 'failed'; readonly message: string }
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly timeoutMs: number | undefined;
      readonly call: RelayedCall;
    }
  | { readonly kind: 'callAborted'; readonly id: number };

/** A message of the worker to the handler's process. */
export type AloneCommand =
  | { readonly kind: 'run'; readonly assignment: Assignment }
  /** Aborts `context.signal`. */
  | { readonly kind: 'abort'; readonly abortKind: AbortKind; readonly message: string }
  /** Aborts `context.stopping`. */
  | { readonly kind: 'stopping' }
  /** The answer to a call: of `submit` the result, of `call` and `watch` an encoded message; a watch has several. */
  | { readonly kind: 'answer'; readonly id: number; readonly answer: SubmitBatchResult | Uint8Array }
  /** The end of a call, after its answers. */
  | { readonly kind: 'callEnded'; readonly id: number; readonly error: ItemError | undefined };
