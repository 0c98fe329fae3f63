import { limits } from '../../../core/limits.ts';
import type { ReportResponse, Settlement, SettleResult } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { errorOf, reconnectMs } from '../../backoff.ts';
import type { ReportLink } from './report-stream.ts';

const batchBytes = limits.wireMessageBytes - 65_536;
const itemOverheadBytes = 128;

export interface Outgoing {
  readonly settlement: Settlement;
  readonly specBytes: number;
  tries: number;
  /** The server's word, for good: recorded, or refused. */
  done(result: SettleResult): void;
}

interface Sent {
  readonly items: readonly Outgoing[];
  readonly sessionId: string;
}

export interface SettlementsEvents {
  /** The session whose credits a batch of so many may return; empty: it must not. */
  sessionFor(count: number): string;
  /** Answered for good; `creditedSession` got the credits back. */
  settled(count: number, creditedSession: string | undefined, creditedCount: number, specBytes: number): void;
}

function sizeOf({ settlement }: Outgoing): number {
  const { lease, result, message, errorType } = settlement;
  return lease.length + (result?.length ?? 0) + 3 * (message.length + errorType.length) + itemOverheadBytes;
}

/** What ended in one turn goes out as one batch. Kept until it is answered; after a cut it goes first. */
export class Settlements {
  readonly #clock: Clock;
  readonly #link: ReportLink;
  readonly #events: SettlementsEvents;
  #waiting: Outgoing[] = [];
  readonly #sent = new Map<number, Sent>();
  #unanswered = 0;
  #gathering = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(clock: Clock, link: ReportLink, events: SettlementsEvents) {
    this.#clock = clock;
    this.#link = link;
    this.#events = events;
  }

  /** Handed over and not yet answered for good. */
  get unanswered(): number {
    return this.#unanswered;
  }

  add(item: Outgoing): void {
    this.#unanswered++;
    this.#waiting.push(item);
    this.flush();
  }

  flush(): void {
    if (this.#gathering || this.#closed || this.#waiting.length === 0) return;
    this.#gathering = true;
    this.#clock.soon(() => {
      this.#gathering = false;
      while (this.#waiting.length > 0 && this.#link.room > 0) this.#send(this.#cut());
    });
  }

  answered({ batch, results, credited }: Extract<ReportResponse, { kind: 'settled' }>): void {
    const sent = this.#sent.get(batch);
    if (sent === undefined) return;
    this.#sent.delete(batch);
    const again: Outgoing[] = [];
    let retryAfterMs = 0;
    let count = 0;
    let bytes = 0;
    sent.items.forEach((item, i) => {
      const result = results[i];
      if (result === undefined || (result.error !== undefined && errorOf(result.error).retryable)) {
        retryAfterMs = Math.max(retryAfterMs, result?.error?.retryAfterMs ?? 0);
        again.push(item);
        return;
      }
      count++;
      bytes += item.specBytes;
      this.#unanswered--;
      item.done(result);
    });
    this.#events.settled(
      count,
      credited && sent.sessionId !== '' ? sent.sessionId : undefined,
      sent.items.length,
      bytes,
    );
    this.#later(again, retryAfterMs);
    this.flush();
    if (this.#unanswered === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  lost(batches: readonly number[]): void {
    const again: Outgoing[] = [];
    for (const batch of batches) {
      again.push(...(this.#sent.get(batch)?.items ?? []));
      this.#sent.delete(batch);
    }
    if (again.length > 0) this.#waiting = again.concat(this.#waiting);
    this.flush();
  }

  /** Nothing is sent again after this. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#sent.clear();
  }

  /** Resolves once everything was answered. */
  settled(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #cut(): Outgoing[] {
    let count = 0;
    let bytes = 0;
    for (const item of this.#waiting) {
      bytes += sizeOf(item);
      if (count === limits.batchItems || (count > 0 && bytes > batchBytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #send(items: readonly Outgoing[]): void {
    const sessionId = this.#events.sessionFor(items.length);
    const settlements = items.map((item) => item.settlement);
    const batch = this.#link.settle(settlements, sessionId);
    this.#sent.set(batch, { items, sessionId });
  }

  #later(items: readonly Outgoing[], retryAfterMs: number): void {
    if (items.length === 0) return;
    const tries = Math.max(...items.map((item) => item.tries++));
    this.#clock.after(reconnectMs(tries, this.#clock.random(), retryAfterMs), () => {
      this.#waiting.push(...items);
      this.flush();
    });
  }
}
