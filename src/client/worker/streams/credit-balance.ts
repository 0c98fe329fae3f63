import type { Clock } from '../../../ports/clock.ts';
import type { Slots } from '../slots.ts';
import { Credits, capacityFor } from './credits.ts';
import type { Prefetch } from './prefetch.ts';
import type { CreditAmount } from './work-stream.ts';

export interface CreditBalanceParts {
  readonly clock: Clock;
  readonly slots: Slots;
  readonly prefetch: Prefetch;
  /** Returns the number of settlements that the server has not answered yet. */
  unanswered(): number;
  /** Sends additional credit to the server. */
  credit(room: CreditAmount): void;
}

/**
 * Keeps the credit of a worker: the number of tasks and bytes that the server may still assign. It compares the tasks
 * that the worker holds with the number that it wants (slots plus prefetch), and sends the missing credit.
 */
export class CreditBalance {
  readonly #parts: CreditBalanceParts;
  readonly #credits = new Credits();
  #sessionId = '';
  /** The size in bytes of the specs of all assigned tasks whose settlement the server has not answered. */
  #heldBytes = 0;
  #replenishScheduled = false;
  #stopped = false;

  constructor(parts: CreditBalanceParts) {
    this.#parts = parts;
  }

  /** True after `stop`: the worker wants no more tasks. */
  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Returns the credit that a new work stream starts with, and resets the balance to it. */
  initialCredit(): CreditAmount {
    const room = this.#capacity();
    this.#credits.reset(room);
    return room;
  }

  /** Stores the session id of an accepted work stream and sends the credit that is missing. */
  welcome(sessionId: string): void {
    this.#sessionId = sessionId;
    this.#replenish();
  }

  /**
   * Counts a task that was assigned. `current` is true if the task came on the newest work stream, the only one whose
   * credit counts.
   */
  assigned(specBytes: number, current: boolean): void {
    this.#heldBytes += specBytes;
    if (current) this.#credits.used({ tasks: 1, bytes: specBytes });
  }

  /** Stops counting the bytes of a task that the worker no longer holds and for which it sends no settlement. */
  dropped(specBytes: number): void {
    this.#heldBytes -= specBytes;
  }

  /**
   * Returns the session to which a batch of `count` settlements returns its credit. Returns an empty string if that
   * credit would bring more tasks than the worker wants.
   */
  sessionFor(count: number): string {
    return this.#credits.excess(this.#wanted, this.#held - count) + count > 0 ? '' : this.#sessionId;
  }

  /**
   * Counts an answered batch of settlements. `session` is the session that got the credit of the batch back, if any.
   */
  settled(count: number, session: string | undefined, creditedCount: number, specBytes: number): void {
    this.#heldBytes -= specBytes;
    if (session !== undefined && session === this.#sessionId) {
      this.#credits.returned({ tasks: creditedCount, bytes: specBytes });
    }
    if (count > 0) this.#replenish();
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

  get #wanted(): number {
    const { slots, prefetch } = this.#parts;
    return this.#stopped ? 0 : slots.concurrency + prefetch.tasks;
  }

  /** The number of tasks that the worker holds: tasks that wait for a slot, run, or have an unanswered settlement. */
  get #held(): number {
    const { slots, unanswered } = this.#parts;
    return slots.waiting + slots.running + unanswered();
  }

  #capacity(): CreditAmount {
    return capacityFor(this.#wanted, this.#held, this.#heldBytes);
  }

  #replenish(): void {
    if (this.#stopped || this.#sessionId === '') return;
    const missing = this.#credits.missing(this.#capacity());
    if (missing !== undefined) this.#parts.credit(missing);
  }
}
