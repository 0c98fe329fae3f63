import type { HoldfastError } from '../core/errors.ts';
import type { HandledType } from '../core/handled-type.ts';
import type { Priority } from '../core/priority.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import type { Snapshot, TaskId } from './task-store.ts';

/**
 * Why a dispatch message is sent. The reason is part of the message's deduplication id on SQS, which drops a repeat of
 * the same message within 5 minutes. `dead` marks the notice of a dead task in a dead-letter queue (dead-letters.ts); a
 * worker that receives such a notice as a delivery finds that the task has ended.
 */
export type DispatchReason = 'submit' | 'due' | 'handOver' | 'redrive' | 'again' | 'dead';

/**
 * A message that makes a worker look at a task. The message decides neither the state nor the order of tasks:
 * only the store does.
 */
export interface DispatchMessage {
  readonly id: TaskId;
  readonly queue: QueueRef;
  readonly priority: Priority;
  readonly type: string;
  readonly typeVersion: number;
  /** The number of events of the task when the message was sent. */
  readonly version: number;
  readonly reason: DispatchReason;
}

/** A dispatch message as a worker received it. */
export interface Delivery {
  readonly message: DispatchMessage;
  /**
   * The receipt handle: it names one receipt of a message. The handle is invalid after `delete`, after the next receipt
   * of the message, and after the visibility timeout.
   */
  readonly receiptHandle: string;
  /** How often the message was received, this delivery included. */
  readonly receiveCount: number;
  readonly sentAtMs: number;
  /**
   * The task of the dispatch message, as current as a consistent read returns it. It is undefined if the
   * engine would need another read to get the task.
   */
  readonly snapshot: Snapshot | undefined;
}

/** The request of one `receive` call: the task types, how much the caller can take, and the longest wait. */
export interface ReceiveRequest {
  readonly types: readonly HandledType[];
  /**
   * Returns how many tasks, and how many bytes of specs, the caller of `receive` can take now. It is called when the
   * deliveries are chosen.
   */
  room(): { readonly tasks: number; readonly bytes: number };
  /**
   * Returns how many tasks of a type the caller of `receive` can take now, within `room()`. It is called when the
   * deliveries are chosen, for a type of which a message is visible. It is absent if no type has a limit of its own.
   */
  readonly roomOfType?: ((type: string) => number) | undefined;
  /**
   * A transactional broker calls it with the deliveries that `receive` will return, at the moment when they are chosen, so
   * that their bytes count for other calls of `room()` before `receive` has returned.
   */
  readonly taken?: ((deliveries: readonly Delivery[]) => void) | undefined;
  /**
   * Present if the caller calls again and again and begins each task at once. An external broker may then receive messages
   * ahead of the caller's room, about as many as the caller takes within a second. It calls `ahead` with the deliveries that
   * it buffers so, and shows those again that are not taken within a second.
   */
  readonly ahead?: ((deliveries: readonly Delivery[]) => void) | undefined;
  /** How long `receive` waits for a visible message, in ms. */
  readonly waitMs: number;
  /** The signal that ends the wait of `receive` at once; `receive` then returns an empty list. */
  readonly signal: AbortSignal;
}

/**
 * Brings ready tasks to workers, by one dispatch message per task. A message is hidden while its task runs, and deleted
 * when the task has ended or waits for a time. It stays hidden until the lease's end plus a guard, so the message of a
 * dead worker's task becomes visible again by itself.
 */
export interface Broker {
  /**
   * Whether the `receive` call with this request is waiting, which means that no visible message fits the
   * request. The answer is exact at this moment. The method is absent if the store cannot claim a task in the
   * commit that accepts it (`can.claimOnAccept`).
   */
  isIdle?(request: ReceiveRequest): boolean;
  /** Sends dispatch messages. Returns one result per message, in the order given: true, or the error. */
  send(messages: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]>;
  /**
   * Returns visible messages, higher priorities first; every 16th receive begins at the lowest priority
   * instead. A received message is hidden for the length of a lease plus a guard (32 s). A call never returns
   * more deliveries than the number of tasks that `room()` returns, nor more of a type than `roomOfType` returns;
   * messages of a full type do not hold up the messages behind them. Within a priority the queues take turns,
   * beginning with the first of `queues`: task by task, or call by call if a broker (SQS) receives from one queue at a
   * time.
   *
   * A transactional broker (its messages are part of the store's commit) returns only tasks of handled types
   * and keeps to the bytes that `room()` returns, but the first delivery may be larger, so that a large task
   * is not blocked for ever. An external broker (SQS) checks no sizes, and may return a task of a type that the caller
   * does not handle, or a message of a full type that was received `limits.deliveryReceives` times: the caller returns
   * the deliveries that it cannot use.
   */
  receive(queues: readonly QueueRef[], request: ReceiveRequest): Promise<readonly Delivery[]>;
  /**
   * Hides each message for `ms` from now on; 0 makes it visible at once. A result is false if the receipt handle is
   * stale; the message then becomes visible again by itself.
   *
   * A caller that has the handles from outside, as from a lease, names the queue of their task in `expectedQueue`. An
   * external broker then ignores a handle of another queue, without a call: otherwise a client that saw the lease of
   * another tenant could hide or delete that tenant's message.
   */
  changeVisibility(
    changes: readonly { readonly receiptHandle: string; readonly ms: number }[],
    expectedQueue?: QueueRef,
  ): Promise<readonly boolean[]>;
  /**
   * Deletes each message. A result is false if the receipt handle is stale. `expectedQueue` works as in
   * `changeVisibility`.
   */
  delete(receiptHandles: readonly string[], expectedQueue?: QueueRef): Promise<readonly boolean[]>;
  /**
   * Returns about how many messages the queue holds, hidden ones too. The method is absent if the broker's messages are part
   * of the store.
   */
  approximateMessages?(queue: QueueRef): Promise<number>;
  /**
   * Ends all waiting receive calls with an empty list and begins to end open polls, because the process stops. The other
   * calls still work. The method is absent if the broker polls nothing.
   */
  stopReceiving?(): void;
  /**
   * Returns up to `limit` deliveries of running tasks whose lease expired at least `expiredForMs` ago and that no
   * worker received since, in turns by queue. The method is absent if a message can only be received by polling its queue (SQS).
   */
  expiredLeases?(nowMs: number, expiredForMs: number, limit: number): Promise<readonly Delivery[]>;
}
