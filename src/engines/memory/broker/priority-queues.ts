import { timing } from '../../../core/limits.ts';
import { type Priority, priorities, priorityOrder } from '../../../core/priority.ts';
import { type QueueRef, queueKey } from '../../../core/queue-ref.ts';
import type { Delivery, DispatchMessage } from '../../../ports/broker.ts';
import { type QueueItem, VisibilityQueue } from './visibility-queue.ts';

/**
 * How long, in ms, a received dispatch message is hidden: the length of a task lease plus the guard time for differing
 * clocks. A worker that claims the task need not hide the message again.
 */
export const receivedMs = timing.leaseMs + timing.clockGuardMs;

/**
 * Decides whether a receive call takes a visible dispatch message: returns a delivery to take the message, 'skip' to
 * leave it in the queue, or 'full' to end the receive call.
 */
export type TakeItem<T> = (item: T, soFar: readonly Delivery[]) => Delivery | 'skip' | 'full';

/**
 * Holds one visibility queue of dispatch messages for each queue and priority, and the listeners that wait for messages.
 */
export class PriorityQueues<T extends QueueItem> {
  readonly #queues = new Map<string, VisibilityQueue<T>>();
  readonly #listeners = new Map<string, Set<() => void>>();
  #receiveCount = 0;

  of(message: Pick<DispatchMessage, 'queue' | 'priority'>): VisibilityQueue<T> {
    const name = visibilityQueueName(message.queue, message.priority);
    const visibilityQueue = this.#queues.get(name) ?? new VisibilityQueue<T>();
    this.#queues.set(name, visibilityQueue);
    return visibilityQueue;
  }

  /**
   * Takes visible dispatch messages in the order of `priorityOrder`, mostly higher priorities first. Within one priority
   * the queues take turns, message by message, beginning with the first of `queues`.
   */
  take(queues: readonly QueueRef[], nowMs: number, take: TakeItem<T>): Delivery[] {
    const deliveries: Delivery[] = [];
    this.#takeInOrder(priorityOrder(this.#receiveCount), queues, nowMs, take, deliveries);
    if (deliveries.length > 0) this.#receiveCount++;
    return deliveries;
  }

  #takeInOrder(
    order: readonly Priority[],
    queues: readonly QueueRef[],
    nowMs: number,
    take: TakeItem<T>,
    deliveries: Delivery[],
  ): void {
    for (const priority of order) {
      for (const item of this.#visibleInTurn(queues, priority, nowMs, () => deliveries.length)) {
        const taken = take(item, deliveries);
        // The receive call ends at the first dispatch message that does not fit: a smaller message of a lower priority
        // must not overtake it.
        if (taken === 'full') return;
        if (taken !== 'skip') deliveries.push(taken);
      }
    }
  }

  /**
   * Yields the visible dispatch messages of one priority. It goes on to the next queue after each message that was
   * taken, which it sees by the number of deliveries.
   */
  *#visibleInTurn(
    queues: readonly QueueRef[],
    priority: Priority,
    nowMs: number,
    taken: () => number,
  ): Generator<T> {
    const left = queues.flatMap(
      (queue) => this.#queues.get(visibilityQueueName(queue, priority))?.visible(nowMs) ?? [],
    );
    for (let turn = 0; left.length > 0; ) {
      turn %= left.length;
      const before = taken();
      const { value, done } = (left[turn] as Generator<T>).next();
      if (done) left.splice(turn, 1);
      else {
        yield value;
        if (taken() > before) turn++;
      }
    }
  }

  nextAtMs(queues: readonly QueueRef[], nowMs: number): number | undefined {
    let next: number | undefined;
    for (const queue of queues) {
      for (const priority of priorities) {
        const at = this.#queues.get(visibilityQueueName(queue, priority))?.nextAtMs(nowMs);
        if (at !== undefined && (next === undefined || at < next)) next = at;
      }
    }
    return next;
  }

  /**
   * Calls the listeners of a queue after a change that may make a dispatch message visible now, or earlier than before.
   */
  wake(queue: QueueRef): void {
    for (const listener of [...(this.#listeners.get(queueKey(queue)) ?? [])]) listener();
  }

  /**
   * Adds a listener that is called when a dispatch message of these queues may be visible. Returns a function that
   * removes the listener.
   */
  listen(queues: readonly QueueRef[], listener: () => void): () => void {
    for (const queue of queues) {
      const name = queueKey(queue);
      const listeners = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, listeners.add(listener));
    }
    return () => {
      for (const queue of queues) {
        const name = queueKey(queue);
        const listeners = this.#listeners.get(name);
        listeners?.delete(listener);
        if (listeners?.size === 0) this.#listeners.delete(name);
      }
    };
  }
}

function visibilityQueueName(queue: QueueRef, priority: Priority): string {
  return `${queueKey(queue)}/${priority}`;
}
