import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Clock } from '../../src/ports/clock.ts';

type Handle = NodeHttpHandler['handle'];

/** The real time in ms after which a long poll has reached the SQS stand-in. */
const arrivalMs = 20;
/** The real time in ms after which the SQS stand-in has answered a long poll whose wait is over. */
const answerMs = 50;
/** The virtual time in ms that the answer to a long poll takes, as it would over a network. */
const answerDelayMs = 20;

interface LongPoll {
  readonly beganMs: number;
  /** The time on the virtual clock at which the wait of the long poll ends. */
  readonly endsAtMs: number;
  overdueMs?: number;
}

/** Tracks the calls to AWS that are in flight, so that the virtual clock can wait for them before it advances. */
export class InFlightTracker {
  /** The virtual clock of the measured nodes; undefined if their clock runs in real time. */
  clock: Clock | undefined;
  readonly #polls = new Set<LongPoll>();
  #calls = 0;

  /**
   * True while the virtual clock must wait for calls in flight. A call counts until it is answered. A long poll counts
   * until it has reached the stand-in, and again from the end of its wait until it is answered.
   */
  get busy(): boolean {
    if (this.#calls > 0) return true;
    const realMs = performance.now();
    const nowMs = this.clock?.now() ?? 0;
    for (const poll of this.#polls) {
      if (realMs - poll.beganMs < arrivalMs) return true;
      if (poll.endsAtMs > nowMs) continue;
      poll.overdueMs ??= realMs;
      if (realMs - poll.overdueMs < answerMs) return true;
    }
    return false;
  }

  async track<T>(body: unknown, call: () => Promise<T>): Promise<T> {
    const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : String(body);
    const seconds = Number(/"WaitTimeSeconds":(\d+)/.exec(text)?.[1] ?? 0);
    if (seconds > 0 && this.clock !== undefined) return this.#longPoll(seconds, this.clock, call);
    this.#calls++;
    try {
      return await call();
    } finally {
      this.#calls--;
    }
  }

  async #longPoll<T>(seconds: number, clock: Clock, call: () => Promise<T>): Promise<T> {
    const poll = { beganMs: performance.now(), endsAtMs: clock.now() + seconds * 1_000 };
    this.#polls.add(poll);
    try {
      return await call();
    } finally {
      this.#polls.delete(poll);
      await clock.sleep(answerDelayMs);
    }
  }
}

/** The HTTP handler of an AWS SDK client, which reports each request to the tracker. */
export class TrackedHandler extends NodeHttpHandler {
  readonly #inFlight: InFlightTracker;

  constructor(inFlight: InFlightTracker) {
    super({ httpAgent: { maxSockets: 1_024 } });
    this.#inFlight = inFlight;
  }

  override handle(...args: Parameters<Handle>): ReturnType<Handle> {
    return this.#inFlight.track(args[0].body, () => super.handle(...args));
  }
}
