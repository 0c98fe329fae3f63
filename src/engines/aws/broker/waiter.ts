import type { HoldfastError } from '../../../core/errors.ts';
import { handlesType } from '../../../core/handled-type.ts';
import { limits } from '../../../core/limits.ts';
import { type TypeRoom, typeRoomOf } from '../../../core/type-room.ts';
import type { Delivery, ReceiveRequest } from '../../../ports/broker.ts';

/**
 * Returns the number of tasks for which the caller of `receive` has room now, by the limits of its types as well. The
 * sizes of the tasks are unknown until the tasks are read.
 */
export function roomOf(request: ReceiveRequest): number {
  const { tasks, bytes } = request.room();
  if (bytes <= 0 || tasks <= 0) return 0;
  const { roomOfType, types } = request;
  if (roomOfType === undefined) return tasks;
  return Math.min(
    tasks,
    types.reduce((sum, { type }) => sum + roomOfType(type), 0),
  );
}

/** True if a message was received so often that it must be replaced with a new one, by whichever worker receives it. */
export function isOld(delivery: Delivery): boolean {
  return delivery.receiveCount >= limits.deliveryReceives;
}

/** Chooses deliveries for one receive call, one after the other, until the call has no more room. */
export class Choice {
  readonly #waiter: Waiter;
  readonly #isForAny: (delivery: Delivery) => boolean;
  readonly #typeRoom: TypeRoom | undefined;
  readonly #hadRoom: boolean;
  #left: number;
  /** The deliveries that the receive call left although it had room, because of their types. */
  readonly passedOver = new Set<Delivery>();

  constructor(waiter: Waiter, isForAny: (delivery: Delivery) => boolean, most: number) {
    this.#waiter = waiter;
    this.#isForAny = isForAny;
    this.#typeRoom = typeRoomOf(waiter.request);
    this.#left = most;
    this.#hadRoom = most > 0;
  }

  /** Returns true if the receive call takes this delivery. The room for it is then used. */
  readonly accepts = (delivery: Delivery): boolean => {
    const { type } = delivery.message;
    const isHandled = this.#waiter.handles(delivery);
    const isFull = isHandled && this.#typeRoom?.has(type) === false && !isOld(delivery);
    const isLeft = isFull || !(isHandled || this.#isForAny(delivery));
    // A full type counts even if the call's last room was used for another delivery: the next call has room again.
    if (isLeft && (isFull ? this.#hadRoom : this.#left > 0)) this.passedOver.add(delivery);
    if (isLeft || this.#left <= 0) return false;
    if (isHandled) this.#typeRoom?.use(type);
    this.#left--;
    return true;
  };
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

  /** True if the receive call has room for the task of a delivery, by its type as well. */
  hasRoomFor({ message }: Delivery): boolean {
    return this.room > 0 && (this.request.roomOfType?.(message.type) ?? 1) > 0;
  }

  /**
   * Returns a choice of up to `most` deliveries for the receive call. `isForAny` decides on deliveries of task types that
   * the call does not handle.
   */
  choose(isForAny: (delivery: Delivery) => boolean, most = this.room): Choice {
    return new Choice(this, isForAny, Math.min(most, this.room));
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
