import type { Clock } from '../../../ports/clock.ts';
import type { Intake } from '../slots.ts';
import { Credits, roomFor } from './credits.ts';
import type { Prefetch } from './prefetch.ts';
import type { Room } from './work-stream.ts';

export interface BalanceParts {
  readonly clock: Clock;
  readonly intake: Intake;
  readonly prefetch: Prefetch;
  /** Settled and not yet answered. */
  unanswered(): number;
  /** Gives the server credits that nothing returned. */
  credit(room: Room): void;
}

/** What a worker holds, what it wants to hold, and what the server may still give it. */
export class Balance {
  readonly #parts: BalanceParts;
  readonly #credits = new Credits();
  #sessionId = '';
  /** Assigned and not yet settled for good, in bytes of spec. */
  #heldBytes = 0;
  #gathering = false;
  #stopped = false;

  constructor(parts: BalanceParts) {
    this.#parts = parts;
  }

  /** Nothing is wanted any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** A stream begins with this. */
  greet(): Room {
    const room = this.#room();
    this.#credits.reset(room);
    return room;
  }

  welcome(sessionId: string): void {
    this.#sessionId = sessionId;
    this.#even();
  }

  /** `current`: on the stream whose credits count. */
  assigned(specBytes: number, current: boolean): void {
    this.#heldBytes += specBytes;
    if (current) this.#credits.used({ tasks: 1, bytes: specBytes });
  }

  /** Held no more, without a settlement. */
  dropped(specBytes: number): void {
    this.#heldBytes -= specBytes;
  }

  /** The session whose credits a batch of so many settlements returns; empty where more would come than is wanted. */
  sessionFor(count: number): string {
    return this.#credits.excess(this.#wanted, this.#held - count) + count > 0 ? '' : this.#sessionId;
  }

  settled(count: number, session: string | undefined, creditedCount: number, specBytes: number): void {
    this.#heldBytes -= specBytes;
    if (session !== undefined && session === this.#sessionId) {
      this.#credits.returned({ tasks: creditedCount, bytes: specBytes });
    }
    if (count > 0) this.#even();
  }

  /** Once for all that changed in this turn. */
  soon(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#parts.clock.soon(() => {
      this.#gathering = false;
      this.#even();
    });
  }

  get #wanted(): number {
    const { intake, prefetch } = this.#parts;
    return this.#stopped ? 0 : intake.concurrency + prefetch.tasks;
  }

  /** Waiting, running, or settled and not yet answered. */
  get #held(): number {
    const { intake, unanswered } = this.#parts;
    return intake.waiting + intake.running + unanswered();
  }

  #room(): Room {
    return roomFor(this.#wanted, this.#held, this.#heldBytes);
  }

  #even(): void {
    if (this.#stopped || this.#sessionId === '') return;
    const missing = this.#credits.missing(this.#room());
    if (missing !== undefined) this.#parts.credit(missing);
  }
}
