import type { HoldfastError } from '../../../core/errors.ts';
import type { Delivery, Want } from '../../../ports/broker.ts';

/** Tasks that there is room for now. How large they are is not known before they are read. */
export function roomOf(want: Want): number {
  const { tasks, bytes } = want.room();
  return bytes > 0 ? Math.max(0, tasks) : 0;
}

/** Whoever waits for bells of some queues, until some come, the time is over or the wait is called off. */
export class Waiter {
  readonly want: Want;
  /** On the monotonic clock. */
  readonly endAtMs: number;
  readonly received: Promise<readonly Delivery[]>;
  readonly #settled = Promise.withResolvers<readonly Delivery[]>();
  readonly #among: number;
  readonly #failed = new Set<object>();
  #waiting = true;

  /** `among`: to how many queues it listens. */
  constructor(want: Want, among: number, endAtMs: number) {
    this.want = want;
    this.#among = among;
    this.endAtMs = endAtMs;
    this.received = this.#settled.promise;
  }

  /** Whether the task may be given to this one's worker, by what its bell says of it. */
  handles({ message }: Delivery): boolean {
    return this.want.types.some(
      ({ type, maxVersion }) => type === message.type && maxVersion >= message.typeVersion,
    );
  }

  /** None, once it was answered. */
  get room(): number {
    return this.#waiting ? roomOf(this.want) : 0;
  }

  answer(deliveries: readonly Delivery[]): void {
    this.#waiting = false;
    this.#settled.resolve(deliveries);
  }

  /** Until it fails again it may well work. */
  triedAgain(queue: object): void {
    this.#failed.delete(queue);
  }

  /** One of its queues could not be listened to. Once none can, it is told. */
  failed(queue: object, error: HoldfastError): void {
    this.#failed.add(queue);
    if (!this.#waiting || this.#failed.size < this.#among) return;
    this.#waiting = false;
    this.#settled.reject(error);
  }
}
