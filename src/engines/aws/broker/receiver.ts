import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { Bell, Want } from '../../../ports/broker.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import { type Level, receivedAtOnce } from './priority-level.ts';
import type { Ear, EarContext } from './queue-poller.ts';
import { Listener, roomOf } from './waiter.ts';

/** A listener without room asks itself so often whether it has some. It costs no call. */
const roomCheckMs = 250;

/** Receives for whoever asks: at once what is there, or as soon as something comes. */
export class Receiver {
  readonly #context: EarContext;
  readonly #earOf: (queue: QueueRef) => Ear;

  constructor(context: EarContext, earOf: (queue: QueueRef) => Ear) {
    this.#context = context;
    this.#earOf = earOf;
  }

  async receive(queues: readonly QueueRef[], want: Want): Promise<readonly Bell[]> {
    if (this.#context.closing.aborted || want.signal.aborted || queues.length === 0) return [];
    const ears = [...new Set(queues.map((queue) => this.#earOf(queue)))];
    if (want.waitMs > 0) return this.#wait(ears, want);
    return this.#look(
      ears.filter((ear) => ear.pace.take() === 0),
      want,
    );
  }

  /** One look at every level, higher priorities first, until there is no more room. */
  async #look(ears: readonly Ear[], want: Want): Promise<readonly Bell[]> {
    const heard: { readonly bell: Bell; readonly level: Level }[] = [];
    const most = Math.min(roomOf(want), receivedAtOnce);
    // What another worker of this process handles, and this one does not, is left to it.
    const asks = new Listener(want, ears.length, 0);
    const wanted = (bell: Bell): boolean => asks.handles(bell) || !ears.some((ear) => ear.isHandled(bell));
    let failure: HoldfastError | undefined;
    for (const level of this.#inOrder(ears)) {
      const left = most - heard.length;
      if (left <= 0 || want.signal.aborted) break;
      const bells = level.takeSpares(left, wanted);
      try {
        if (bells.length < left) bells.push(...(await level.poll(left - bells.length, 0)));
      } catch (thrown) {
        failure = asHoldfastError(thrown);
      }
      heard.push(...bells.map((bell) => ({ bell, level })));
    }
    const room = this.#context.closing.aborted || want.signal.aborted ? 0 : roomOf(want);
    const given = heard.filter(({ bell }) => wanted(bell)).slice(0, room);
    const left = heard.filter((one) => !given.includes(one));
    for (const { bell, level } of left) level.keep([bell], (one) => !wanted(one));
    // Others who wait may have room for it.
    if (left.length > 0) for (const ear of ears) ear.pump();
    if (heard.length > 0) this.#context.order.heard();
    else if (failure !== undefined && !this.#context.closing.aborted) throw failure;
    return given.map(({ bell }) => bell);
  }

  #inOrder(ears: readonly Ear[]): Level[] {
    const { levels, turn } = this.#context.order;
    const levelsInOrder: Level[] = [];
    for (const priority of levels) {
      for (let i = 0; i < ears.length; i++) {
        const level = ears[(turn + i) % ears.length]?.levels.get(priority);
        if (level !== undefined) levelsInOrder.push(level);
      }
    }
    return levelsInOrder;
  }

  async #wait(ears: readonly Ear[], want: Want): Promise<readonly Bell[]> {
    const { clock, closing } = this.#context;
    const listener = new Listener(want, ears.length, clock.monotonic() + want.waitMs);
    const callOff = (): void => listener.answer([]);
    const signals = [want.signal, closing];
    for (const signal of signals) signal.addEventListener('abort', callOff);
    const cancelEnd = clock.after(want.waitMs, callOff);
    const cancelChecks = this.#whenRoomComes(ears, listener);
    try {
      for (const ear of ears) ear.join(listener, ears.length);
      return await listener.heard;
    } finally {
      cancelEnd();
      cancelChecks();
      for (const ear of ears) ear.leave(listener);
      for (const signal of signals) signal.removeEventListener('abort', callOff);
    }
  }

  /** Nobody tells when a listener that had no room has some. */
  #whenRoomComes(ears: readonly Ear[], listener: Listener): () => void {
    if (listener.room > 0) return () => {};
    const { clock } = this.#context;
    const check = (): void => {
      if (listener.room > 0) for (const ear of ears) ear.pump();
      else cancel = clock.after(roomCheckMs, check);
    };
    let cancel = clock.after(roomCheckMs, check);
    return () => cancel();
  }
}
