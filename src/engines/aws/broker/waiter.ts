import type { HoldfastError } from '../../../core/errors.ts';
import { handlesType } from '../../../core/handled-type.ts';
import type { Delivery, ReceiveRequest } from '../../../ports/broker.ts';

/**
 * Returns the number of tasks for which the caller of `receive` has room now. The sizes of the tasks are unknown until
 * the tasks are read.
 */
export function roomOf(request: ReceiveRequest): number {
  const { tasks, bytes } = request.room();
  return bytes > 0 ? Math.max(0, tasks) : 0;
}

/**
 * One receive call that waits for deliveries of its queues until some come, its wait time is over or its caller aborts
 * it.
 */
export class Waiter {
  readonly request: ReceiveRequest;
  /** The time at which the receive call stops waiting, in ms of the monotonic clock. */
  readonly endAtMs: number;
  readonly received: Promise<readonly Delivery[]>;
  readonly #result = Promise.withResolvers<readonly Delivery[]>();
  readonly #queueCount: number;
  readonly #failedPollers = new Set<object>();
  #waiting = true;

  /** Creates the waiter of a receive call for `queueCount` queues. */
  constructor(request: ReceiveRequest, queueCount: number, endAtMs: number) {
    this.request = request;
    this.#queueCount = queueCount;
    this.endAtMs = endAtMs;
    this.received = this.#result.promise;
  }

  /** True if the receive call's worker handles the task type of a delivery in the delivery's type version. */
  handles({ message }: Delivery): boolean {
    return handlesType(this.request.types, message.type, message.typeVersion);
  }

  /** The number of tasks for which the receive call has room; 0 after its wait has ended. */
  get room(): number {
    return this.#waiting ? roomOf(this.request) : 0;
  }

  end(deliveries: readonly Delivery[]): void {
    this.#waiting = false;
    this.#result.resolve(deliveries);
  }

  /** Called when a new poll of a queue starts. An earlier failed poll of the queue then no longer counts. */
  pollStarted(poller: object): void {
    this.#failedPollers.delete(poller);
  }

  /**
   * Called when no priority level (SQS queue) of a queue can be polled. Rejects the receive call once none of its
   * queues can be polled.
   */
  pollFailed(poller: object, error: HoldfastError): void {
    this.#failedPollers.add(poller);
    if (!this.#waiting || this.#failedPollers.size < this.#queueCount) return;
    this.#waiting = false;
    this.#result.reject(error);
  }
}
