import type { Delivery, ReceiveRequest } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { InternedQueue } from '../rows/interned-names.ts';
import type { ReceiveFilter } from './ready-index.ts';

/** A receive call that waits until a dispatch message is visible. */
export interface Waiter {
  readonly filter: ReceiveFilter;
  readonly request: ReceiveRequest;
  /** Ends the waiting receive call with the given deliveries. Idempotent. */
  end(deliveries: readonly Delivery[]): void;
}

/** The receive calls that found no visible dispatch message and wait for one, in the order in which they came. */
export class Waiters {
  readonly #clock: Clock;
  readonly #byQueue = new Map<InternedQueue, Set<Waiter>>();
  readonly #requests = new Set<ReceiveRequest>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#requests.size;
  }

  has(request: ReceiveRequest): boolean {
    return this.#requests.has(request);
  }

  of(queue: InternedQueue): Iterable<Waiter> {
    return this.#byQueue.get(queue) ?? [];
  }

  wait(filter: ReceiveFilter, request: ReceiveRequest): Promise<readonly Delivery[]> {
    return new Promise((resolve) => {
      const endEmpty = () => waiter.end([]);
      const waiter: Waiter = {
        filter,
        request,
        end: (deliveries) => {
          cancelTimer();
          request.signal.removeEventListener('abort', endEmpty);
          this.#remove(waiter);
          resolve(deliveries);
        },
      };
      const cancelTimer = this.#clock.after(request.waitMs, endEmpty);
      request.signal.addEventListener('abort', endEmpty, { once: true });
      this.#add(waiter);
    });
  }

  endAll(): void {
    for (const waiters of [...this.#byQueue.values()]) for (const waiter of [...waiters]) waiter.end([]);
  }

  #add(waiter: Waiter): void {
    this.#requests.add(waiter.request);
    for (const queue of waiter.filter.queues) {
      let waiters = this.#byQueue.get(queue);
      if (waiters === undefined) {
        waiters = new Set();
        this.#byQueue.set(queue, waiters);
      }
      waiters.add(waiter);
    }
  }

  #remove(waiter: Waiter): void {
    this.#requests.delete(waiter.request);
    for (const queue of waiter.filter.queues) {
      const waiters = this.#byQueue.get(queue);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#byQueue.delete(queue);
    }
  }
}
