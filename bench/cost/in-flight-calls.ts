import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Clock } from '../../src/ports/clock.ts';

type Handle = NodeHttpHandler['handle'];

/** In real ms: a long poll has reached the stand-in by then, and one whose time is over has been answered. */
const arrivalMs = 20;
const answerMs = 50;
/** On the clock that stands still: what the answer to a long poll takes to come, as over any network. */
const onItsWayMs = 20;

interface LongPoll {
  readonly beganMs: number;
  /** On the clock that stands still. */
  readonly endsAtMs: number;
  overdueMs?: number;
}

/** Knows of a site's calls to AWS that are under way, so that a clock that stands still can wait for them. */
export class InFlightTracker {
  /** Of the site, where it is one that stands still. */
  clock: Clock | undefined;
  readonly #polls = new Set<LongPoll>();
  #calls = 0;

  /** A long poll is waited for until it has arrived, and again when its time is over. */
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

  async during<T>(body: unknown, call: () => Promise<T>): Promise<T> {
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
      await clock.sleep(onItsWayMs);
    }
  }
}

/** What an SDK's client sends its requests by. */
export class WatchedHandler extends NodeHttpHandler {
  readonly #inFlight: InFlightTracker;

  constructor(inFlight: InFlightTracker) {
    super({ httpAgent: { maxSockets: 1_024 } });
    this.#inFlight = inFlight;
  }

  override handle(...args: Parameters<Handle>): ReturnType<Handle> {
    return this.#inFlight.during(args[0].body, () => super.handle(...args));
  }
}
