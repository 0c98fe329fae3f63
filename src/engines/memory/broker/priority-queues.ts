import { timing } from '../../../core/limits.ts';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { Bell, Ring, Want } from '../../../ports/broker.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import { queueName } from '../rows.ts';
import { Line, type Waiting } from './visibility-queue.ts';

/** Strict priority would starve the lowest: every so many receives begin there. */
const lowestEach = 16;
/** How long a received bell is hidden: a lease and its guard, so that a claim needs no call. */
export const receivedMs = timing.leaseMs + timing.clockGuardMs;

/** What a kind of bells does with one that is wanted: the bell as received, 'skip', or 'full'. */
export type Take<T> = (item: T, soFar: readonly Bell[]) => Bell | 'skip' | 'full';

/** The lines of all queues and priorities, and who waits at them. */
export class Belfry<T extends Waiting> {
  readonly #lines = new Map<string, Line<T>>();
  readonly #ears = new Map<string, Set<() => void>>();
  #receives = 0;

  line(ring: Pick<Ring, 'queue' | 'priority'>): Line<T> {
    const name = lineName(ring.queue, ring.priority);
    const line = this.#lines.get(name) ?? new Line<T>();
    this.#lines.set(name, line);
    return line;
  }

  /** Higher priorities first; which queue comes first goes round. */
  take(queues: readonly QueueRef[], nowMs: number, take: Take<T>): Bell[] {
    const fromLowest = this.#receives % lowestEach === lowestEach - 1;
    const order = fromLowest ? priorities.toReversed() : priorities;
    const bells: Bell[] = [];
    this.#takeInOrder(order, queues, nowMs, take, bells);
    if (bells.length > 0) this.#receives++;
    return bells;
  }

  #takeInOrder(
    order: readonly Priority[],
    queues: readonly QueueRef[],
    nowMs: number,
    take: Take<T>,
    bells: Bell[],
  ): void {
    for (const priority of order) {
      for (let i = 0; i < queues.length; i++) {
        const queue = queues[(this.#receives + i) % queues.length] as QueueRef;
        for (const item of this.#lines.get(lineName(queue, priority))?.heard(nowMs) ?? []) {
          const taken = take(item, bells);
          // Nothing lower goes first because it is smaller.
          if (taken === 'full') return;
          if (taken !== 'skip') bells.push(taken);
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
    for (const ear of [...(this.#ears.get(queueName(queue)) ?? [])]) ear();
  }

  /** The answer ends the listening. */
  listen(queues: readonly QueueRef[], ear: () => void): () => void {
    for (const queue of queues) {
      const name = queueName(queue);
      const ears = this.#ears.get(name) ?? new Set();
      this.#ears.set(name, ears.add(ear));
    }
    return () => {
      for (const queue of queues) {
        const name = queueName(queue);
        const ears = this.#ears.get(name);
        ears?.delete(ear);
        if (ears?.size === 0) this.#ears.delete(name);
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
