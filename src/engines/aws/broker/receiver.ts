import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { Delivery, Want } from '../../../ports/broker.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import { type PriorityLevel, receivedAtOnce } from './priority-level.ts';
import type { PollerContext, QueuePoller } from './queue-poller.ts';
import { roomOf, Waiter } from './waiter.ts';

/** A listener without room asks itself so often whether it has some. It costs no call. */
const roomCheckMs = 250;

/** Receives for whoever asks: at once what is there, or as soon as something comes. */
export class Receiver {
  readonly #context: PollerContext;
  readonly #pollerOf: (queue: QueueRef) => QueuePoller;

  constructor(context: PollerContext, pollerOf: (queue: QueueRef) => QueuePoller) {
    this.#context = context;
    this.#pollerOf = pollerOf;
  }

  async receive(queues: readonly QueueRef[], want: Want): Promise<readonly Delivery[]> {
    if (this.#context.closing.aborted || want.signal.aborted || queues.length === 0) return [];
    const pollers = [...new Set(queues.map((queue) => this.#pollerOf(queue)))];
    if (want.waitMs > 0) return this.#wait(pollers, want);
    return this.#look(
      pollers.filter((poller) => poller.throttle.take() === 0),
      want,
    );
  }

  /** One look at every level, higher priorities first, until there is no more room. */
  async #look(pollers: readonly QueuePoller[], want: Want): Promise<readonly Delivery[]> {
    const received: { readonly delivery: Delivery; readonly level: PriorityLevel }[] = [];
    const most = Math.min(roomOf(want), receivedAtOnce);
    // What another worker of this process handles, and this one does not, is left to it.
    const asks = new Waiter(want, pollers.length, 0);
    const wanted = (delivery: Delivery): boolean =>
      asks.handles(delivery) || !pollers.some((poller) => poller.isHandled(delivery));
    let failure: HoldfastError | undefined;
    for (const level of this.#inOrder(pollers)) {
      const left = most - received.length;
      if (left <= 0 || want.signal.aborted) break;
      const deliveries = level.takeBuffered(left, wanted);
      try {
        if (deliveries.length < left) deliveries.push(...(await level.poll(left - deliveries.length, 0)));
      } catch (thrown) {
        failure = asHoldfastError(thrown);
      }
      received.push(...deliveries.map((delivery) => ({ delivery, level })));
    }
    const room = this.#context.closing.aborted || want.signal.aborted ? 0 : roomOf(want);
    const given = received.filter(({ delivery }) => wanted(delivery)).slice(0, room);
    const left = received.filter((one) => !given.includes(one));
    for (const { delivery, level } of left) level.buffer([delivery], (one) => !wanted(one));
    // Others who wait may have room for it.
    if (left.length > 0) for (const poller of pollers) poller.poll();
    if (received.length > 0) this.#context.rotation.received();
    else if (failure !== undefined && !this.#context.closing.aborted) throw failure;
    return given.map(({ delivery }) => delivery);
  }

  #inOrder(pollers: readonly QueuePoller[]): PriorityLevel[] {
    const { levels, turn } = this.#context.rotation;
    const levelsInOrder: PriorityLevel[] = [];
    for (const priority of levels) {
      for (let i = 0; i < pollers.length; i++) {
        const level = pollers[(turn + i) % pollers.length]?.levels.get(priority);
        if (level !== undefined) levelsInOrder.push(level);
      }
    }
    return levelsInOrder;
  }

  async #wait(pollers: readonly QueuePoller[], want: Want): Promise<readonly Delivery[]> {
    const { clock, closing } = this.#context;
    const waiter = new Waiter(want, pollers.length, clock.monotonic() + want.waitMs);
    const callOff = (): void => waiter.answer([]);
    const signals = [want.signal, closing];
    for (const signal of signals) signal.addEventListener('abort', callOff);
    const cancelEnd = clock.after(want.waitMs, callOff);
    const cancelChecks = this.#whenRoomComes(pollers, waiter);
    try {
      for (const poller of pollers) poller.join(waiter, pollers.length);
      return await waiter.received;
    } finally {
      cancelEnd();
      cancelChecks();
      for (const poller of pollers) poller.leave(waiter);
      for (const signal of signals) signal.removeEventListener('abort', callOff);
    }
  }

  /** Nobody tells when a listener that had no room has some. */
  #whenRoomComes(pollers: readonly QueuePoller[], waiter: Waiter): () => void {
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
