import { asHoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Priority } from '../../../core/submission/submission.ts';
import type { Delivery } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Dependency } from '../load/dependency.ts';
import { PollThrottle } from './poll-throttle.ts';
import { type PriorityLevel, receivedAtOnce } from './priority-level.ts';
import type { PriorityRotation } from './priority-levels.ts';
import type { Waiter } from './waiter.ts';

/** The longest that SQS keeps a receive open. */
const longPollSeconds = 20;
/** Receives of one level at once, while there is a backlog and room for it. */
const pollsAtOnce = 4;

export interface PollerContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly rotation: PriorityRotation;
  readonly closing: AbortSignal;
  /** How long after its last sound a queue of several levels is polled one level at a time. */
  readonly quietAfterMs: number;
  /** Of the table, on which what is heard has to be claimed. */
  readonly table: Dependency | undefined;
}

/**
 * Listens to one Holdfast queue for all listeners of this process: however many there are, one long poll of a level is
 * open at a time, and none where nobody has room. A level is known to be empty while a long poll of it is open, so a
 * lower one is asked only then, or while the higher one fails: each level pauses for itself.
 */
export class QueuePoller {
  readonly levels: ReadonlyMap<Priority, PriorityLevel>;
  readonly throttle: PollThrottle;
  readonly #context: PollerContext;
  readonly #waiters = new Map<Waiter, number>();
  #walking = false;
  #walkAgain = false;
  #paced = false;
  #rotation = 0;
  #lastSoundAtMs: number;

  constructor(levels: ReadonlyMap<Priority, PriorityLevel>, context: PollerContext) {
    this.levels = levels;
    this.throttle = new PollThrottle(context.clock, context.table);
    this.#context = context;
    this.#lastSoundAtMs = context.clock.monotonic();
  }

  /** `among`: how many queues the listener listens to. */
  join(waiter: Waiter, among: number): void {
    this.#waiters.set(waiter, among);
    this.poll();
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** This process rang: somebody who waits without a poll may be wanted. */
  wake(): void {
    this.#lastSoundAtMs = this.#context.clock.monotonic();
    if (this.#waiters.size > 0) this.poll();
  }

  /** Starts whatever polls are wanted and not under way. */
  poll(): void {
    this.#walkAgain = true;
    if (this.#walking) return;
    this.#walking = true;
    void this.#walkWhileWanted();
  }

  async #walkWhileWanted(): Promise<void> {
    while (this.#walkAgain && !this.#context.closing.aborted) {
      this.#walkAgain = false;
      this.#offerBuffered();
      if (this.#room() === 0 || this.#hasToWait()) continue;
      if (this.#isQuiet()) this.#startNext();
      else await this.#walk();
    }
    this.#walking = false;
  }

  /** Where claims are slowed down. */
  #hasToWait(): boolean {
    if (this.#paced) return true;
    const waitMs = this.throttle.take();
    if (waitMs === 0) return false;
    this.#paced = true;
    this.#context.clock.after(waitMs, () => {
      this.#paced = false;
      this.poll();
    });
    return true;
  }

  /** From the level that comes first to the last; ends where something was heard, and goes on past what fails. */
  async #walk(): Promise<void> {
    const idle = this.#context.rotation.levels
      .map((priority) => this.levels.get(priority))
      .filter((level) => level !== undefined && level.polls === 0 && !level.pause.isOn) as PriorityLevel[];
    const last = idle.at(-1);
    for (const level of idle) {
      const found = level === last ? 'empty' : await this.#probe(level);
      if (found === 'received') return;
      if (found === 'failed') continue;
      const room = this.#room();
      if (room === 0 || this.#context.closing.aborted) return;
      void this.#pollLevel(level, room, this.#waitSeconds());
      // Where there is more than one call brings; what finds nothing does not stay.
      const more =
        level.full && !this.throttle.slow ? Math.min(pollsAtOnce, Math.ceil(room / receivedAtOnce)) - 1 : 0;
      for (let i = 0; i < more; i++) void this.#pollLevel(level, room, 0);
    }
  }

  async #probe(level: PriorityLevel): Promise<'empty' | 'received' | 'failed'> {
    const received = await this.#pollLevel(level, this.#room(), 0);
    if (received === undefined) return 'failed';
    return received > 0 ? 'received' : 'empty';
  }

  /** Undefined: it failed. */
  async #pollLevel(level: PriorityLevel, room: number, waitSeconds: number): Promise<number | undefined> {
    level.polls++;
    for (const waiter of this.#waiters.keys()) waiter.triedAgain(this);
    try {
      const deliveries = await level.poll(Math.min(receivedAtOnce, Math.max(1, room)), waitSeconds);
      level.pause.worked();
      this.#deliver(level, deliveries);
      this.#walkAgain = true;
      return deliveries.length;
    } catch (thrown) {
      this.#fail(level, thrown);
      return undefined;
    } finally {
      level.polls--;
      if (!this.#walking && this.#waiters.size > 0) this.poll();
    }
  }

  /** Left to a worker of this process that has the task's type, also where it has no room now, but not for ever. */
  isHandled(delivery: Delivery): boolean {
    const isOld = delivery.receiveCount >= limits.deliveryReceives;
    for (const waiter of this.#waiters.keys()) {
      if (waiter.handles(delivery) && (waiter.room > 0 || !isOld)) return true;
    }
    return false;
  }

  #deliver(level: PriorityLevel, deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    this.#lastSoundAtMs = this.#context.clock.monotonic();
    let left = deliveries;
    const roomy = [...this.#waiters.keys()].filter((waiter) => waiter.room > 0);
    for (const waiter of this.#waiters.keys()) {
      const given = left.filter(this.#wantedBy(waiter)).slice(0, waiter.room);
      if (given.length === 0) continue;
      this.#context.rotation.received();
      waiter.answer(given);
      left = left.filter((delivery) => !given.includes(delivery));
      if (left.length === 0) return;
    }
    level.buffer(left, (delivery) => roomy.some((waiter) => !this.#wantedBy(waiter)(delivery)));
  }

  /** What it handles; and what nobody here does, since somebody must say what becomes of that bell. */
  #wantedBy(waiter: Waiter): (delivery: Delivery) => boolean {
    return (delivery) => waiter.handles(delivery) || !this.isHandled(delivery);
  }

  #offerBuffered(): void {
    for (const priority of this.#context.rotation.levels) {
      const level = this.levels.get(priority);
      for (const waiter of this.#waiters.keys()) {
        const buffered = level?.takeBuffered(waiter.room, this.#wantedBy(waiter)) ?? [];
        if (buffered.length > 0) waiter.answer(buffered);
      }
    }
  }

  /** Of all listeners; of one that listens to several queues a share, unless there is a backlog here. */
  #room(): number {
    const backlog = [...this.levels.values()].some((level) => level.full);
    let room = 0;
    for (const [waiter, among] of this.#waiters) room += Math.ceil(waiter.room / (backlog ? 1 : among));
    return room;
  }

  #waitSeconds(): number {
    const nowMs = this.#context.clock.monotonic();
    let longestMs = 0;
    for (const waiter of this.#waiters.keys()) longestMs = Math.max(longestMs, waiter.endAtMs - nowMs);
    return Math.min(longPollSeconds, Math.max(1, Math.ceil(longestMs / 1_000)));
  }

  #isQuiet(): boolean {
    if (this.levels.size < 2) return false;
    return this.#context.clock.monotonic() - this.#lastSoundAtMs > this.#context.quietAfterMs;
  }

  /** So that an idle queue costs the same however many levels it has. */
  #startNext(): void {
    const levels = [...this.levels.values()];
    if (levels.some((level) => level.polls > 0)) return;
    for (let turns = 0; turns < levels.length; turns++) {
      const level = levels[this.#rotation++ % levels.length];
      if (level === undefined || level.pause.isOn) continue;
      void this.#pollLevel(level, this.#room(), this.#waitSeconds());
      return;
    }
  }

  /** One level may fail alone, and the others serve: listeners are told once none does. */
  #fail(failed: PriorityLevel, thrown: unknown): void {
    const { clock, log, closing } = this.#context;
    if (closing.aborted) return;
    const error = asHoldfastError(thrown);
    const pauseMs = failed.pause.failed();
    const others = [...this.levels.values()].filter((level) => level !== failed);
    if (others.every((level) => level.isFailing)) {
      for (const waiter of this.#waiters.keys()) waiter.failed(this, error);
    }
    if (pauseMs === undefined) return;
    const fields = { err: error, sqs_queue: failed.queue.name, pause_ms: pauseMs };
    log.warn(fields, 'could not listen for bells; trying again');
    clock.after(pauseMs, () => {
      failed.pause.end();
      this.poll();
    });
  }
}
