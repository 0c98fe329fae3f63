import { sleepOver } from '../platform/sleep.ts';
import { uuidV7 } from '../platform/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import { type ProcessClock, processClock, randomBytesOf, secretsOf } from './process-clock.ts';
import { seededRandom } from './random.ts';
import { type Timer, Timers } from './timers.ts';

export type { ProcessClock } from './process-clock.ts';

export interface VirtualClockOptions {
  /** The first time of the wall clock. Default: 2026-01-01T00:00:00Z. */
  readonly startMs?: number | undefined;
  /** The seed of all random values, default 1. The same seed gives the same run. */
  readonly seed?: number | undefined;
  /**
   * With `real` (default), `soon` calls back in the next turn of Node's event loop, and only timers wait for `advance`.
   * With `driven`, nothing runs by itself; `step` runs the next callback.
   */
  readonly turns?: 'real' | 'driven' | undefined;
  /**
   * True to run the callbacks of one moment in an order decided by the seed. By default they run in the order they were
   * set.
   */
  readonly shuffle?: boolean | undefined;
  /**
   * Calls a function in a later turn of Node's event loop. Default: `setImmediate`, which does nothing while a test fakes
   * the timers of Node.
   */
  readonly inNextTurn?: ((run: () => void) => void) | undefined;
  /**
   * The number of event-loop turns without a callback after which all pending work counts as finished. Promises that do
   * real I/O may need several turns. Default: 4.
   */
  readonly turnsToRest?: number | undefined;
}

/** A clock whose time moves only by `advance` and `step`. */
export interface VirtualClock extends Clock {
  /**
   * Moves the virtual time forward by `ms`, runs the callbacks that come due in order, and lets promises settle in
   * between.
   */
  advance(ms: number): Promise<void>;
  /**
   * Moves the virtual time forward by `ms` in one step, as for a process that stood still. Timers that came due meanwhile
   * are called in order afterwards, each once, and promises settle in between. A timer that they set is due later.
   */
  jump(ms: number): Promise<void>;
  /** Waits until pending promises and the callbacks of `soon` have finished, without moving the virtual time. */
  settle(): Promise<void>;
  /**
   * Runs one callback of the virtual clock: a callback of `soon` if there is one (`driven` only), otherwise the
   * earliest timer, whose time becomes the current time. Returns false if there is no callback. It does not wait for
   * promises that the callback resolves.
   */
  step(): boolean;
  /** The time of the next timer, or undefined if there is no timer. */
  readonly nextAtMs: number | undefined;
  /** The number of callbacks that wait to be called: callbacks of `soon`, and timers. */
  readonly pending: number;
  process(offsetMs?: number): ProcessClock;
}

const defaultStartMs = Date.UTC(2026, 0, 1);
const turnsToRestDefault = 4;

class Virtual implements VirtualClock {
  readonly sleep: Clock['sleep'];
  readonly uuid: () => string;
  readonly secret: () => string;
  readonly random: () => number;
  readonly #driven: boolean;
  readonly #inNextTurn: (run: () => void) => void;
  readonly #turnsToRest: number;
  readonly #pick: (n: number) => number;
  readonly #timers = new Timers();
  readonly #turns: (() => void)[] = [];
  readonly #startMs: number;
  #nowMs: number;
  #realTurns = 0;

  constructor(options: VirtualClockOptions) {
    this.#startMs = options.startMs ?? defaultStartMs;
    this.#nowMs = this.#startMs;
    this.#driven = options.turns === 'driven';
    this.#turnsToRest = options.turnsToRest ?? turnsToRestDefault;
    this.#inNextTurn = options.inNextTurn ?? ((run) => void setImmediate(run));
    this.random = seededRandom(options.seed ?? 1);
    // The order of callbacks has a random stream of its own, so that a call of random() does not change the order.
    const order = seededRandom((options.seed ?? 1) ^ 0x5eed);
    this.#pick = options.shuffle === true ? (n) => Math.floor(order() * n) : () => 0;
    this.sleep = sleepOver((ms, run) => this.after(ms, run));
    this.uuid = uuidV7(() => this.#nowMs, randomBytesOf(this.random));
    // The secrets have a random stream of their own too, for the same reason.
    this.secret = secretsOf(randomBytesOf(seededRandom((options.seed ?? 1) ^ 0x1ea5e)));
  }

  now(): number {
    return this.#nowMs;
  }

  machineNow(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, Math.ceil(ms)), run };
    this.#timers.add(timer);
    return () => this.#timers.remove(timer);
  }

  soon(run: () => void): void {
    if (this.#driven) {
      this.#turns.push(run);
      return;
    }
    this.#realTurns++;
    this.#inNextTurn(() => {
      this.#realTurns--;
      run();
    });
  }

  get nextAtMs(): number | undefined {
    return this.#timers.nextAtMs;
  }

  get pending(): number {
    return this.#turns.length + this.#realTurns + this.#timers.size;
  }

  step(): boolean {
    if (this.#turns.length > 0) {
      this.#turns.splice(this.#pick(this.#turns.length), 1)[0]?.();
      return true;
    }
    const timer = this.#timers.take(this.#pick);
    if (timer === undefined) return false;
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    timer.run();
    return true;
  }

  async settle(): Promise<void> {
    for (let quiet = 0; quiet < this.#turnsToRest; quiet++) {
      await this.#turn();
      while (this.#turns.length > 0) {
        this.step();
        await this.#turn();
        quiet = 0;
      }
      if (this.#realTurns > 0) quiet = 0;
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#inNextTurn(resolve));
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    await this.#runUntil(endMs);
    this.#nowMs = endMs;
  }

  async jump(ms: number): Promise<void> {
    await this.settle();
    this.#nowMs += ms;
    await this.#runUntil(this.#nowMs);
  }

  async #runUntil(endMs: number): Promise<void> {
    for (;;) {
      const nextMs = this.#timers.nextAtMs;
      if (nextMs === undefined || nextMs > endMs) return;
      this.step();
      await this.settle();
    }
  }

  process(offsetMs = 0): ProcessClock {
    return processClock(this, offsetMs);
  }
}

export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  return new Virtual(options);
}
