import type { Delivery, Want } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { QueueName } from '../rows/interned-names.ts';
import type { Asked } from './ready-index.ts';

export interface Waiter {
  readonly asked: Asked;
  readonly want: Want;
  /** Idempotent. */
  end(deliveries: readonly Delivery[]): void;
}

/** Receives that found nothing. First come, first served; whoever was served comes again at the end. */
export class Waiters {
  readonly #clock: Clock;
  readonly #byQueue = new Map<QueueName, Set<Waiter>>();
  readonly #wants = new Set<Want>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#wants.size;
  }

  has(want: Want): boolean {
    return this.#wants.has(want);
  }

  of(queue: QueueName): Iterable<Waiter> {
    return this.#byQueue.get(queue) ?? [];
  }

  queues(): Iterable<QueueName> {
    return this.#byQueue.keys();
  }

  wait(asked: Asked, want: Want): Promise<readonly Delivery[]> {
    return new Promise((resolve) => {
      const evict = () => waiter.end([]);
      const waiter: Waiter = {
        asked,
        want,
        end: (deliveries) => {
          cancelTimer();
          want.signal.removeEventListener('abort', evict);
          this.#remove(waiter);
          resolve(deliveries);
        },
      };
      const cancelTimer = this.#clock.after(want.waitMs, evict);
      want.signal.addEventListener('abort', evict, { once: true });
      this.#add(waiter);
    });
  }

  endAll(): void {
    for (const waiters of [...this.#byQueue.values()]) for (const waiter of [...waiters]) waiter.end([]);
  }

  #add(waiter: Waiter): void {
    this.#wants.add(waiter.want);
    for (const queue of waiter.asked.queues) {
      let waiters = this.#byQueue.get(queue);
      if (waiters === undefined) {
        waiters = new Set();
        this.#byQueue.set(queue, waiters);
      }
      waiters.add(waiter);
    }
  }

  #remove(waiter: Waiter): void {
    this.#wants.delete(waiter.want);
    for (const queue of waiter.asked.queues) {
      const waiters = this.#byQueue.get(queue);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#byQueue.delete(queue);
    }
  }
}
