import { timing } from '../../../core/limits.ts';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { Delivery, DispatchMessage, Want } from '../../../ports/broker.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import { queueName } from '../rows.ts';
import { Line, type Waiting } from './visibility-queue.ts';

/** Strict priority would starve the lowest: every so many receives begin there. */
const lowestEach = 16;
/** How long a received bell is hidden: a lease and its guard, so that a claim needs no call. */
export const receivedMs = timing.leaseMs + timing.clockGuardMs;

/** What a kind of bells does with one that is wanted: the bell as received, 'skip', or 'full'. */
export type Take<T> = (item: T, soFar: readonly Delivery[]) => Delivery | 'skip' | 'full';

/** The lines of all queues and priorities, and who waits at them. */
export class PriorityQueues<T extends Waiting> {
  readonly #lines = new Map<string, Line<T>>();
  readonly #listeners = new Map<string, Set<() => void>>();
  #receiveCount = 0;

  line(message: Pick<DispatchMessage, 'queue' | 'priority'>): Line<T> {
    const name = lineName(message.queue, message.priority);
    const line = this.#lines.get(name) ?? new Line<T>();
    this.#lines.set(name, line);
    return line;
  }

  /** Higher priorities first; which queue comes first goes round. */
  take(queues: readonly QueueRef[], nowMs: number, take: Take<T>): Delivery[] {
    const fromLowest = this.#receiveCount % lowestEach === lowestEach - 1;
    const order = fromLowest ? priorities.toReversed() : priorities;
    const deliveries: Delivery[] = [];
    this.#takeInOrder(order, queues, nowMs, take, deliveries);
    if (deliveries.length > 0) this.#receiveCount++;
    return deliveries;
  }

  #takeInOrder(
    order: readonly Priority[],
    queues: readonly QueueRef[],
    nowMs: number,
    take: Take<T>,
    deliveries: Delivery[],
  ): void {
    for (const priority of order) {
      for (let i = 0; i < queues.length; i++) {
        const queue = queues[(this.#receiveCount + i) % queues.length] as QueueRef;
        for (const item of this.#lines.get(lineName(queue, priority))?.visible(nowMs) ?? []) {
          const taken = take(item, deliveries);
          // Nothing lower goes first because it is smaller.
          if (taken === 'full') return;
          if (taken !== 'skip') deliveries.push(taken);
        }
      }
    }
  }

  nextAtMs(queues: readonly QueueRef[], nowMs: number): number | undefined {
    let next: number | undefined;
    for (const queue of queues) {
      for (const priority of priorities) {
        const at = this.#lines.get(lineName(queue, priority))?.nextAtMs(nowMs);
        if (at !== undefined && (next === undefined || at < next)) next = at;
      }
    }
    return next;
  }

  /** Something in this queue may be heard now, or sooner than it was. */
  wake(queue: QueueRef): void {
    for (const listener of [...(this.#listeners.get(queueName(queue)) ?? [])]) listener();
  }

  /** The answer ends the listening. */
  listen(queues: readonly QueueRef[], listener: () => void): () => void {
    for (const queue of queues) {
      const name = queueName(queue);
      const listeners = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, listeners.add(listener));
    }
    return () => {
      for (const queue of queues) {
        const name = queueName(queue);
        const listeners = this.#listeners.get(name);
        listeners?.delete(listener);
        if (listeners?.size === 0) this.#listeners.delete(name);
      }
    };
  }
}

function lineName(queue: QueueRef, priority: Priority): string {
  return `${queueName(queue)}${priority}`;
}

/** Whether a receiver handles a type at this version. */
export function isWanted(want: Want, type: string, typeVersion: number): boolean {
  return want.types.some((handled) => handled.type === type && handled.maxVersion >= typeVersion);
}
