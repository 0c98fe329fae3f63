import { timing } from '../../src/core/limits.ts';
import type { Bells } from '../../src/ports/bells.ts';
import { type Rules, Violation } from './violation.ts';

const receivedMs = timing.leaseMs + timing.clockGuardMs;

/** Until when each receipt of a bell counts, kept beside the engine: a spent one must change nothing. */
export class Receipts {
  readonly #untilMs = new Map<string, number>();
  readonly #rules: Rules;
  readonly #fail: (broken: Violation) => void;

  constructor(rules: Rules, fail: (broken: Violation) => void) {
    this.#rules = rules;
    this.#fail = fail;
  }

  watched(bells: Bells): Bells {
    return {
      ...bells,
      receive: async (queues, want) => {
        const heard = await bells.receive(queues, want);
        for (const { handle } of heard) this.#untilMs.set(handle, this.#rules.now() + receivedMs);
        return heard;
      },
      hide: async (asked) => {
        const done = await bells.hide(asked);
        for (const [i, { handle, ms }] of asked.entries()) this.#used(handle, done[i], ms);
        return done;
      },
      silence: async (handles) => {
        const done = await bells.silence(handles);
        for (const [i, handle] of handles.entries()) this.#used(handle, done[i], 0);
        return done;
      },
    };
  }

  #used(handle: string, done: boolean | undefined, ms: number): void {
    if (done !== true) return;
    const untilMs = this.#untilMs.get(handle) ?? 0;
    if (untilMs <= this.#rules.now() && !this.#rules.blindTo.has('spentReceiptChangesNothing'))
      this.#fail(new Violation('spentReceiptChangesNothing', `${handle} was spent at ${untilMs}`));
    this.#untilMs.set(handle, this.#rules.now() + ms);
  }
}
