import type { HoldfastError } from '../../../core/errors.ts';
import { handlesType } from '../../../core/handled-type.ts';
import type { Delivery, ReceiveRequest } from '../../../ports/broker.ts';

/** The number of tasks that the caller has room for now. Their sizes are unknown until they are read. */
export function roomOf(request: ReceiveRequest): number {
  const { tasks, bytes } = request.room();
  return bytes > 0 ? Math.max(0, tasks) : 0;
}

/** One receive call that waits for deliveries of its queues until some come, its time is over or it is aborted. */
export class Waiter {
  readonly request: ReceiveRequest;
  /** The end of the wait in ms of the monotonic clock. */
  readonly endAtMs: number;
  readonly received: Promise<readonly Delivery[]>;
  readonly #result = Promise.withResolvers<readonly Delivery[]>();
  readonly #queueCount: number;
  readonly #failedPollers = new Set<object>();
  #waiting = true;

  /** Waits for deliveries of `queueCount` queues. */
  constructor(request: ReceiveRequest, queueCount: number, endAtMs: number) {
    this.request = request;
    this.#queueCount = queueCount;
    this.endAtMs = endAtMs;
    this.received = this.#result.promise;
  }

  /** True if the worker handles the message's task type in the message's version. */
  handles({ message }: Delivery): boolean {
    return handlesType(this.request.types, message.type, message.typeVersion);
  }

  /** How many tasks the caller has room for; 0 after the wait has ended. */
  get room(): number {
    return this.#waiting ? roomOf(this.request) : 0;
  }

  end(deliveries: readonly Delivery[]): void {
    this.#waiting = false;
    this.#result.resolve(deliveries);
  }

  /** Called when a new poll of the queue starts: its earlier failure no longer counts. */
  pollStarted(poller: object): void {
    this.#failedPollers.delete(poller);
  }

  /** Called when no level of a queue can be polled. Rejects the wait once that holds for all of its queues. */
  pollFailed(poller: object, error: HoldfastError): void {
    this.#failedPollers.add(poller);
    if (!this.#waiting || this.#failedPollers.size < this.#queueCount) return;
    this.#waiting = false;
    this.#result.reject(error);
  }
}
