import { asHoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Priority } from '../../../core/submission/submission.ts';
import type { Bell } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Dependency } from '../load/dependency.ts';
import { Pace } from './poll-throttle.ts';
import { type Level, receivedAtOnce } from './priority-level.ts';
import type { LevelOrder } from './priority-levels.ts';
import type { Listener } from './waiter.ts';

/** The longest that SQS keeps a receive open. */
const longPollSeconds = 20;
/** Receives of one level at once, while there is a backlog and room for it. */
const pollsAtOnce = 4;

export interface EarContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly order: LevelOrder;
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
export class Ear {
  readonly levels: ReadonlyMap<Priority, Level>;
  readonly pace: Pace;
  readonly #context: EarContext;
  readonly #listeners = new Map<Listener, number>();
  #walking = false;
  #walkAgain = false;
  #paced = false;
  #rotation = 0;
  #lastSoundAtMs: number;

  constructor(levels: ReadonlyMap<Priority, Level>, context: EarContext) {
    this.levels = levels;
    this.pace = new Pace(context.clock, context.table);
    this.#context = context;
    this.#lastSoundAtMs = context.clock.monotonic();
  }

  /** `among`: how many queues the listener listens to. */
  join(listener: Listener, among: number): void {
    this.#listeners.set(listener, among);
    this.pump();
  }

  leave(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** This process rang: somebody who waits without a poll may be wanted. */
  rang(): void {
    this.#lastSoundAtMs = this.#context.clock.monotonic();
    if (this.#listeners.size > 0) this.pump();
  }

  /** Starts whatever polls are wanted and not under way. */
  pump(): void {
    this.#walkAgain = true;
    if (this.#walking) return;
    this.#walking = true;
    void this.#walkWhileWanted();
  }

  async #walkWhileWanted(): Promise<void> {
    while (this.#walkAgain && !this.#context.closing.aborted) {
      this.#walkAgain = false;
      this.#offerSpares();
      if (this.#room() === 0 || this.#hasToWait()) continue;
      if (this.#isQuiet()) this.#startNext();
      else await this.#walk();
    }
    this.#walking = false;
  }

  /** Where claims are slowed down. */
  #hasToWait(): boolean {
    if (this.#paced) return true;
    const waitMs = this.pace.take();
    if (waitMs === 0) return false;
    this.#paced = true;
    this.#context.clock.after(waitMs, () => {
      this.#paced = false;
      this.pump();
    });
    return true;
  }

  /** From the level that comes first to the last; ends where something was heard, and goes on past what fails. */
  async #walk(): Promise<void> {
    const idle = this.#context.order.levels
      .map((priority) => this.levels.get(priority))
      .filter((level) => level !== undefined && level.polls === 0 && !level.pause.isOn) as Level[];
    const last = idle.at(-1);
    for (const level of idle) {
      const found = level === last ? 'empty' : await this.#probe(level);
      if (found === 'heard') return;
      if (found === 'failed') continue;
      const room = this.#room();
      if (room === 0 || this.#context.closing.aborted) return;
      void this.#poll(level, room, this.#waitSeconds());
      // Where there is more than one call brings; what finds nothing does not stay.
      const more =
        level.full && !this.pace.slow ? Math.min(pollsAtOnce, Math.ceil(room / receivedAtOnce)) - 1 : 0;
      for (let i = 0; i < more; i++) void this.#poll(level, room, 0);
    }
  }

  async #probe(level: Level): Promise<'empty' | 'heard' | 'failed'> {
    const heard = await this.#poll(level, this.#room(), 0);
    if (heard === undefined) return 'failed';
    return heard > 0 ? 'heard' : 'empty';
  }

  /** Undefined: it failed. */
  async #poll(level: Level, room: number, waitSeconds: number): Promise<number | undefined> {
    level.polls++;
    for (const listener of this.#listeners.keys()) listener.triedAgain(this);
    try {
      const bells = await level.poll(Math.min(receivedAtOnce, Math.max(1, room)), waitSeconds);
      level.pause.worked();
      this.#deliver(level, bells);
      this.#walkAgain = true;
      return bells.length;
    } catch (thrown) {
      this.#fail(level, thrown);
      return undefined;
    } finally {
      level.polls--;
      if (!this.#walking && this.#listeners.size > 0) this.pump();
    }
  }

  /** Left to a worker of this process that has the task's type, also where it has no room now, but not for ever. */
  isHandled(bell: Bell): boolean {
    const isOld = bell.receives >= limits.bellReceives;
    for (const listener of this.#listeners.keys()) {
      if (listener.handles(bell) && (listener.room > 0 || !isOld)) return true;
    }
    return false;
  }

  #deliver(level: Level, bells: readonly Bell[]): void {
    if (bells.length === 0) return;
    this.#lastSoundAtMs = this.#context.clock.monotonic();
    let left = bells;
    const roomy = [...this.#listeners.keys()].filter((listener) => listener.room > 0);
    for (const listener of this.#listeners.keys()) {
      const given = left.filter(this.#wantedBy(listener)).slice(0, listener.room);
      if (given.length === 0) continue;
      this.#context.order.heard();
      listener.answer(given);
      left = left.filter((bell) => !given.includes(bell));
      if (left.length === 0) return;
    }
    level.keep(left, (bell) => roomy.some((listener) => !this.#wantedBy(listener)(bell)));
  }

  /** What it handles; and what nobody here does, since somebody must say what becomes of that bell. */
  #wantedBy(listener: Listener): (bell: Bell) => boolean {
    return (bell) => listener.handles(bell) || !this.isHandled(bell);
  }

  #offerSpares(): void {
    for (const priority of this.#context.order.levels) {
      const level = this.levels.get(priority);
      for (const listener of this.#listeners.keys()) {
        const spares = level?.takeSpares(listener.room, this.#wantedBy(listener)) ?? [];
        if (spares.length > 0) listener.answer(spares);
      }
    }
  }

  /** Of all listeners; of one that listens to several queues a share, unless there is a backlog here. */
  #room(): number {
    const backlog = [...this.levels.values()].some((level) => level.full);
    let room = 0;
    for (const [listener, among] of this.#listeners) room += Math.ceil(listener.room / (backlog ? 1 : among));
    return room;
  }

  #waitSeconds(): number {
    const nowMs = this.#context.clock.monotonic();
    let longestMs = 0;
    for (const listener of this.#listeners.keys()) longestMs = Math.max(longestMs, listener.endAtMs - nowMs);
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
      void this.#poll(level, this.#room(), this.#waitSeconds());
      return;
    }
  }

  /** One level may fail alone, and the others serve: listeners are told once none does. */
  #fail(failed: Level, thrown: unknown): void {
    const { clock, log, closing } = this.#context;
    if (closing.aborted) return;
    const error = asHoldfastError(thrown);
    const pauseMs = failed.pause.failed();
    const others = [...this.levels.values()].filter((level) => level !== failed);
    if (others.every((level) => level.isFailing)) {
      for (const listener of this.#listeners.keys()) listener.failed(this, error);
    }
    if (pauseMs === undefined) return;
    const fields = { err: error, sqs_queue: failed.queue.name, pause_ms: pauseMs };
    log.warn(fields, 'could not listen for bells; trying again');
    clock.after(pauseMs, () => {
      failed.pause.end();
      this.pump();
    });
  }
}
