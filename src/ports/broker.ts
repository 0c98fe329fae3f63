import type { HoldfastError } from '../core/errors.ts';
import type { Priority } from '../core/submission/submission.ts';
import type { QueueRef, Snapshot, TaskId } from './task-store.ts';

/**
 * Why a task is rung. Part of a ring's identity on SQS, where a repeat of the same ring is swallowed. `dead` is no ring
 * but the notice of a death (dead-letters.ts): whoever hears it as a bell finds that the task has ended.
 */
export type DispatchReason = 'submit' | 'due' | 'handOver' | 'redrive' | 'again' | 'dead';

export interface DispatchMessage {
  readonly id: TaskId;
  readonly queue: QueueRef;
  readonly priority: Priority;
  readonly type: string;
  readonly typeVersion: number;
  /** Number of events of the task. */
  readonly version: number;
  readonly reason: DispatchReason;
}

/** "Look at this task." It carries no truth and no order. */
export interface Delivery {
  readonly message: DispatchMessage;
  /** Names this receipt of the bell; spent by `silence`, by the next receipt, and by time. */
  readonly receiptHandle: string;
  readonly receiveCount: number;
  readonly sentAtMs: number;
  /** What the engine knows of the task without a read; as good as a consistent read, or absent. */
  readonly snapshot: Snapshot | undefined;
}

export interface HandledType {
  readonly type: string;
  /** A worker is never given a newer version of the type's contract. */
  readonly maxVersion: number;
}

export interface Want {
  readonly types: readonly HandledType[];
  /** Asked at the moment of the answer: how many tasks, and bytes of spec, there is room for. */
  room(): { readonly tasks: number; readonly bytes: number };
  /** How long to wait where nothing is ready. */
  readonly waitMs: number;
  /** Ends the wait at once with what there is (nothing). */
  readonly signal: AbortSignal;
}

/**
 * One bell per task that may be worked on. It is held, not deleted, while the task is worked on: hidden until
 * the lease's end, so that a dead worker's bell comes back by itself.
 */
export interface Broker {
  /**
   * Whether this receive waits and was given nothing yet: so there is nothing ready that it would take. Exact, at this
   * moment. There where the store can fuse a claim.
   */
  isIdle?(want: Want): boolean;
  /** In the order given, a result each. */
  send(messages: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]>;
  /**
   * Bells that are not hidden, higher priorities first (every 16th receive begins at the lowest). A received
   * bell is hidden for a lease and its guard. Never more than there is room for, except that one bell larger
   * than the room in bytes is given where the room is untouched.
   */
  receive(queues: readonly QueueRef[], want: Want): Promise<readonly Delivery[]>;
  /**
   * From now on for `ms`. False: a stale handle; the bell comes back by itself. `of`: for handles that came back from
   * outside, as in a lease: the queue of the task that they are used for. Where bells are apart a handle of another queue
   * then does nothing, and costs no call: whoever saw another tenant's lease must not silence its bell.
   */
  changeVisibility(
    changes: readonly { readonly receiptHandle: string; readonly ms: number }[],
    of?: QueueRef,
  ): Promise<readonly boolean[]>;
  /** `of`: as with `hide`. */
  delete(receiptHandles: readonly string[], of?: QueueRef): Promise<readonly boolean[]>;
  /**
   * Where the bells live in this process: bells of running tasks whose lease has been spent for `spentForMs`
   * and that nobody came for. Absent where a bell is heard only by who polls its queue.
   */
  expiredLeases?(nowMs: number, expiredForMs: number, limit: number): Promise<readonly Delivery[]>;
}
