import { limits } from '../../../core/limits.ts';
import type { TypeCredit } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Slots } from '../slots.ts';
import { type Capacity, type CreditPeriod, Credits, capacityFor, noPeriod } from './credits.ts';
import { maxPrefetch, Prefetch } from './prefetch.ts';
import type { PendingSettlement } from './settlements.ts';
import { TypeBalance } from './type-balance.ts';
import type { CreditAmount } from './work-stream.ts';

/** The most tasks that a worker prefetches before it has measured how many begin in a second. */
const initialPrefetch = 8;
/** How often, in ms, the worker checks whether the server has more credit than the worker would give now. */
const shrinkEveryMs = 500;
/** The part of the slots by which the credit may exceed the worker's wish before the worker takes it back. */
const surplusShare = 0.25;
const noTypes: readonly TypeCredit[] = [];

export interface CreditBalanceParts {
  readonly clock: Clock;
  readonly slots: Slots;
  /** False if the worker takes only as many tasks as it has free slots. */
  readonly prefetches: boolean;
  /** Returns the number of settlements that the server has not answered yet. */
  unanswered(): number;
  /** Sends additional credit to the server. */
  credit(room: CreditAmount): void;
  /** Sends the hello message again, so that `initialCredit` replaces the credit that the server has. */
  resetCredit(): void;
  /** Called with the time on the monotonic clock at which `shrink` must be called. */
  due(atMs: number): void;
}

/**
 * Keeps the credit of a worker: the number of tasks and bytes that the server may still assign. It compares the tasks
 * that the worker holds with the number that it wants (slots plus prefetch), and sends the missing credit; likewise for
 * each task type that has a limit of its own. If the worker wants fewer tasks than before, it takes credit back.
 */
export class CreditBalance {
  readonly #parts: CreditBalanceParts;
  readonly #credits = new Credits();
  readonly #prefetch: Prefetch;
  /** The credit of single task types; undefined if no type has a limit of its own. */
  readonly #types: TypeBalance | undefined;
  #shrinkAtMs: number | undefined;
  /** The number of hello messages on the newest work stream. */
  #hellos = 0;
  /** The period in which credits count now; none until the server has accepted the newest work stream. */
  #period = noPeriod;
  /** The size in bytes of the specs of all assigned tasks whose settlement the server has not answered. */
  #heldBytes = 0;
  #replenishScheduled = false;
  #stopped = false;

  constructor(parts: CreditBalanceParts) {
    this.#parts = parts;
    const { concurrency, typeLimits } = parts.slots;
    this.#prefetch = parts.prefetches
      ? new Prefetch(concurrency, Math.min(initialPrefetch, concurrency))
      : new Prefetch(concurrency, 0, 0);
    const besideOf = (type: string): number =>
      parts.slots.waitingBeside.filter(({ handler }) => handler.task.name === type).length;
    this.#types = typeLimits.size === 0 ? undefined : new TypeBalance(typeLimits, parts.prefetches, besideOf);
  }

  /** True after `stop`: the worker wants no more tasks. */
  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Returns the credit of a hello message, and resets the balance to it. `isFirst` is true for the first hello message of a
   * work stream. Credits of earlier settlements do not count any more.
   */
  initialCredit(isFirst: boolean): CreditAmount {
    this.#hellos = isFirst ? 1 : this.#hellos + 1;
    this.#period = isFirst ? noPeriod : this.#periodOf(this.#period.sessionId);
    this.#adapt(this.#parts.clock.monotonic());
    const room = this.#capacity();
    this.#credits.reset(room);
    return { ...room, types: this.#types?.reset(this.#stopped || this.#parts.slots.isHeld) ?? [] };
  }

  /** Stores the session id of an accepted work stream and sends the credit that is missing. */
  welcome(sessionId: string): void {
    this.#period = this.#periodOf(sessionId);
    this.#replenish();
  }

  /**
   * Counts a task that was assigned. `current` is true if the task came on the newest work stream, the only one whose
   * credit counts.
   */
  assigned(type: string, specBytes: number, current: boolean): void {
    this.#heldBytes += specBytes;
    if (current) this.#credits.used(1, specBytes);
    this.#types?.assigned(type, current);
  }

  /** Stops counting a task that the worker no longer holds and for which it sends no settlement. */
  dropped(type: string, specBytes: number): void {
    this.#heldBytes -= specBytes;
    this.#types?.dropped([{ type }]);
  }

  /** Records that an attempt begins. */
  begun(type: string): void {
    const { clock, due } = this.#parts;
    const nowMs = clock.monotonic();
    this.#prefetch.begun(nowMs);
    this.#types?.begun(type, nowMs);
    if (this.#shrinkAtMs !== undefined) return;
    this.#shrinkAtMs = nowMs + shrinkEveryMs;
    due(this.#shrinkAtMs);
  }

  /** Records that an attempt has ended after `durationMs` and its slot is free. */
  ended(type: string, durationMs: number): void {
    const nowMs = this.#parts.clock.monotonic();
    const hasGrown = this.#prefetch.ended(durationMs, nowMs);
    const typeHasGrown = this.#types?.ended(type, durationMs, nowMs) ?? false;
    if (hasGrown || typeHasGrown) this.replenishSoon();
  }

  /**
   * Returns the period in which a batch of settlements returns its credit. Returns `noPeriod` if that credit would bring
   * more tasks or bytes than the worker wants.
   */
  periodFor(batch: readonly PendingSettlement[]): CreditPeriod {
    this.#adapt(this.#parts.clock.monotonic());
    const isTooMuch =
      this.#credits.excess(this.#wanted, this.#held) > 0 ||
      this.#credits.excessBytes(this.#heldBytes) > 0 ||
      this.#types?.exceeds(batch);
    return isTooMuch ? noPeriod : this.#period;
  }

  /**
   * Counts the settlements of a `sent` batch to which the server has given its `final` answer. `credited` is the period in
   * which the server got the credit of all of them back, if it did.
   */
  settled(
    final: readonly PendingSettlement[],
    credited: CreditPeriod | undefined,
    sent: readonly PendingSettlement[],
  ): void {
    this.#heldBytes -= bytesOf(final);
    this.#types?.dropped(final);
    if (credited !== undefined && this.#isCurrent(credited)) {
      this.#credits.returned(sent.length, bytesOf(sent));
      this.#types?.returned(sent);
    }
    if (final.length > 0) this.#replenish();
  }

  /**
   * Sends the hello message again if it is not known whether the server got the credit of a batch of this period back: only a
   * hello message makes both counts equal then.
   */
  creditUnknown(period: CreditPeriod): void {
    if (this.#isCurrent(period)) this.#parts.resetCredit();
  }

  /**
   * Takes credit back if the server has noticeably more than the worker wants now, and may therefore assign tasks that
   * would wait for a slot. Returns the time at which it must be called next, or undefined if the worker prefetches nothing.
   */
  shrink(nowMs: number): number | undefined {
    if (this.#shrinkAtMs === undefined || nowMs < this.#shrinkAtMs) return this.#shrinkAtMs;
    this.#adapt(nowMs);
    const surplus = this.#credits.surplus(this.#wanted, this.#held);
    const isTooMuch = surplus > Math.max(1, surplusShare * this.#parts.slots.concurrency);
    if (!this.#stopped && this.#isAccepted && (isTooMuch || this.#types?.hasSurplus))
      this.#parts.resetCredit();
    this.#shrinkAtMs = this.#prefetch.tasks === 0 ? undefined : nowMs + shrinkEveryMs;
    return this.#shrinkAtMs;
  }

  /** Sends missing credit at the end of this turn of the event loop, once for all changes of the turn. */
  replenishSoon(): void {
    if (this.#replenishScheduled) return;
    this.#replenishScheduled = true;
    this.#parts.clock.soon(() => {
      this.#replenishScheduled = false;
      this.#replenish();
    });
  }

  /**
   * The number of tasks that the worker wants to hold. Tasks that wait beside a free slot, because their type is at its
   * limit, do not count: the slot needs other tasks. While a task waits to run alone, or runs alone, it wants no other;
   * tasks that wait for that while the worker begins others do not count.
   */
  get #wanted(): number {
    const { concurrency, running, waiting, waitingBeside, isHeld } = this.#parts.slots;
    if (this.#stopped || isHeld) return 0;
    const beside = Math.min(waitingBeside.length, limits.inFlightTasks);
    if (!this.#parts.prefetches) return concurrency + beside;
    const blocked = running < concurrency ? Math.min(waiting - beside, maxPrefetch) : 0;
    return concurrency + beside + Math.max(this.#prefetch.tasks, blocked);
  }

  /** The number of tasks that the worker holds: tasks that wait for a slot, run, or have an unanswered settlement. */
  get #held(): number {
    const { slots, unanswered } = this.#parts;
    return slots.waiting + slots.running + unanswered();
  }

  /** True if the server has accepted the newest work stream. */
  get #isAccepted(): boolean {
    return this.#period !== noPeriod;
  }

  #isCurrent(period: CreditPeriod): boolean {
    return this.#isAccepted && period === this.#period;
  }

  #periodOf(sessionId: string): CreditPeriod {
    return sessionId === '' ? noPeriod : { sessionId, hellos: this.#hellos };
  }

  #adapt(nowMs: number): void {
    this.#prefetch.adapt(nowMs);
    this.#types?.adapt(nowMs);
  }

  #capacity(): Capacity {
    return capacityFor(this.#wanted, this.#held, this.#heldBytes);
  }

  #replenish(): void {
    if (this.#stopped || !this.#isAccepted || this.#parts.slots.isHeld) return;
    this.#adapt(this.#parts.clock.monotonic());
    const missing = this.#credits.missing(this.#capacity());
    const types = this.#types?.missing() ?? noTypes;
    if (missing !== undefined || types.length > 0)
      this.#parts.credit({ tasks: missing?.tasks ?? 0, bytes: missing?.bytes ?? 0, types });
  }
}

/** Returns the sum of the payload bytes of these tasks. */
function bytesOf(settlements: readonly PendingSettlement[]): number {
  let bytes = 0;
  for (const { specBytes } of settlements) bytes += specBytes;
  return bytes;
}
