import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';
import type { Delivery, ReceiveRequest } from '../../../ports/broker.ts';
import { messagesPerReceive, type PriorityLevel } from './priority-level.ts';
import type { PollerContext, QueuePoller } from './queue-poller.ts';
import { type Choice, roomOf, Waiter } from './waiter.ts';

/**
 * How often a receive call that began without room for a task is checked for room, in ms. The check costs no call to
 * SQS.
 */
const roomCheckMs = 250;

/**
 * Serves receive calls of the broker. A call that does not wait polls each priority level (SQS queue) once with a
 * short poll. A call that waits uses the pollers of its queues until a delivery comes or its wait ends.
 */
export class Receiver {
  readonly #context: PollerContext;
  readonly #pollerOf: (queue: QueueRef) => QueuePoller;

  constructor(context: PollerContext, pollerOf: (queue: QueueRef) => QueuePoller) {
    this.#context = context;
    this.#pollerOf = pollerOf;
  }

  async receive(queues: readonly QueueRef[], request: ReceiveRequest): Promise<readonly Delivery[]> {
    if (this.#context.closing.aborted || request.signal.aborted || queues.length === 0) return [];
    const pollers = [...new Set(queues.map((queue) => this.#pollerOf(queue)))];
    if (request.waitMs > 0) return this.#waitForDeliveries(pollers, request);
    return this.#receiveOnce(
      pollers.filter((poller) => poller.throttle.requestPoll() === 0),
      request,
    );
  }

  /**
   * Polls every priority level (SQS queue) once with a short poll, in priority order, until the caller has no more
   * room.
   */
  async #receiveOnce(pollers: readonly QueuePoller[], request: ReceiveRequest): Promise<readonly Delivery[]> {
    const received: { readonly delivery: Delivery; readonly level: PriorityLevel }[] = [];
    const most = Math.min(roomOf(request), messagesPerReceive);
    // A delivery that only another worker of this process handles is left to that worker.
    const waiter = new Waiter(request, pollers.length, 0);
    const isForAny = (delivery: Delivery): boolean => !pollers.some((poller) => poller.isHandled(delivery));
    let failure: HoldfastError | undefined;
    for (const level of this.#levelsInOrder(pollers)) {
      const left = most - received.length;
      if (left <= 0 || request.signal.aborted) break;
      const deliveries = level.takeBuffered(this.#choiceAfter(received, waiter, isForAny, most).accepts);
      try {
        if (deliveries.length < left) {
          deliveries.push(...(await level.poll(left - deliveries.length, 0, false)));
        }
      } catch (thrown) {
        failure = asHoldfastError(thrown);
      }
      received.push(...deliveries.map((delivery) => ({ delivery, level })));
    }
    const isOver = this.#context.closing.aborted || request.signal.aborted;
    const choice = waiter.choose(isForAny, isOver ? 0 : most);
    const accepted = received.filter(({ delivery }) => choice.accepts(delivery));
    const left = received.filter((one) => !accepted.includes(one));
    for (const { delivery, level } of left) level.buffer([delivery], choice.passedOver);
    // Other waiting receive calls of this process may have room for the deliveries that this call did not accept.
    if (left.length > 0) for (const poller of pollers) poller.poll();
    if (received.length > 0) this.#context.rotation.countReceive();
    else if (failure !== undefined && !this.#context.closing.aborted) throw failure;
    return accepted.map(({ delivery }) => delivery);
  }

  /** Returns the choice of further deliveries for a receive call that keeps its room for the `received` ones. */
  #choiceAfter(
    received: readonly { readonly delivery: Delivery }[],
    waiter: Waiter,
    isForAny: (delivery: Delivery) => boolean,
    most: number,
  ): Choice {
    const choice = waiter.choose(isForAny, most);
    for (const { delivery } of received) choice.accepts(delivery);
    return choice;
  }

  /**
   * Returns the priority levels (SQS queues) of all pollers in priority order, and within a priority in the order of the
   * receive call's queues.
   */
  #levelsInOrder(pollers: readonly QueuePoller[]): PriorityLevel[] {
    return this.#context.rotation.levels.flatMap((priority) =>
      pollers.flatMap((poller) => poller.levels.get(priority) ?? []),
    );
  }

  async #waitForDeliveries(
    pollers: readonly QueuePoller[],
    request: ReceiveRequest,
  ): Promise<readonly Delivery[]> {
    const { clock, closing } = this.#context;
    const waiter = new Waiter(request, pollers.length, clock.monotonic() + request.waitMs);
    const endEmpty = (): void => waiter.end([]);
    const signals = [request.signal, closing];
    for (const signal of signals) signal.addEventListener('abort', endEmpty);
    const cancelEnd = clock.after(request.waitMs, endEmpty);
    const cancelChecks = this.#pollOnceThereIsRoom(pollers, waiter);
    try {
      for (const poller of pollers) poller.join(waiter, pollers.length);
      return await waiter.received;
    } finally {
      cancelEnd();
      cancelChecks();
      for (const poller of pollers) poller.leave(waiter);
      for (const signal of signals) signal.removeEventListener('abort', endEmpty);
    }
  }

  /**
   * Polls once a waiting receive call has room. A worker sends no notice when it gets room, so a timer checks for
   * room. Returns a function that stops the timer.
   */
  #pollOnceThereIsRoom(pollers: readonly QueuePoller[], waiter: Waiter): () => void {
    if (waiter.room > 0) return () => {};
    const { clock } = this.#context;
    const check = (): void => {
      if (waiter.room > 0) for (const poller of pollers) poller.poll();
      else cancel = clock.after(roomCheckMs, check);
    };
    let cancel = clock.after(roomCheckMs, check);
    return () => cancel();
  }
}
