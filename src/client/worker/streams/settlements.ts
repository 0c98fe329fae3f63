import { limits } from '../../../core/limits.ts';
import type { ReportResponse, Settlement, SettleResult } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { errorOf, reconnectMs } from '../../backoff.ts';
import type { ReportStream } from './report-stream.ts';

const batchBytes = limits.wireMessageBytes - 65_536;
const itemOverheadBytes = 128;

/** A settlement to which the server has not given its final answer. */
export interface PendingSettlement {
  readonly settlement: Settlement;
  /** The task type; empty if the worker does not handle the task. */
  readonly type: string;
  readonly specBytes: number;
  tries: number;
  /** Called once with the server's final answer: recorded or refused. */
  done(result: SettleResult): void;
}

interface SentBatch {
  readonly items: readonly PendingSettlement[];
  readonly sessionId: string;
}

export interface SettlementsEvents {
  /** Returns the session to which a batch of settlements returns its credit; empty if it must return none. */
  sessionFor(batch: readonly PendingSettlement[]): string;
  /**
   * Called when the server has given its `final` answer to settlements of a `sent` batch. `creditedSession` is the
   * session that got the credit of the whole batch back, if any.
   */
  settled(
    final: readonly PendingSettlement[],
    creditedSession: string | undefined,
    sent: readonly PendingSettlement[],
  ): void;
}

function sizeOf({ settlement }: PendingSettlement): number {
  const { lease, result, message, errorType } = settlement;
  return lease.length + (result?.length ?? 0) + 3 * (message.length + errorType.length) + itemOverheadBytes;
}

/**
 * Sends the settlements of one turn of the event loop as one batch. Each settlement is kept until the server has
 * answered it; after a lost connection, unanswered settlements are sent again before newer ones.
 */
export class Settlements {
  readonly #clock: Clock;
  readonly #reports: ReportStream;
  readonly #events: SettlementsEvents;
  #waiting: PendingSettlement[] = [];
  readonly #sent = new Map<number, SentBatch>();
  #unanswered = 0;
  #sendScheduled = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(clock: Clock, reports: ReportStream, events: SettlementsEvents) {
    this.#clock = clock;
    this.#reports = reports;
    this.#events = events;
  }

  /** The number of settlements that were added and have no final answer from the server yet. */
  get unanswered(): number {
    return this.#unanswered;
  }

  add(item: PendingSettlement): void {
    this.#unanswered++;
    this.#waiting.push(item);
    this.flush();
  }

  flush(): void {
    if (this.#sendScheduled || this.#closed || this.#waiting.length === 0) return;
    this.#sendScheduled = true;
    this.#clock.soon(() => {
      this.#sendScheduled = false;
      while (this.#waiting.length > 0 && this.#reports.freeBatches > 0) this.#send(this.#takeBatch());
    });
  }

  /** Handles the server's answer to a batch. Settlements that failed with a temporary error are sent again later. */
  answered({ batch, results, credited }: Extract<ReportResponse, { kind: 'settled' }>): void {
    const sent = this.#sent.get(batch);
    if (sent === undefined) return;
    this.#sent.delete(batch);
    const again: PendingSettlement[] = [];
    let retryAfterMs = 0;
    const final: PendingSettlement[] = [];
    sent.items.forEach((item, i) => {
      const result = results[i];
      if (result === undefined || (result.error !== undefined && errorOf(result.error).retryable)) {
        retryAfterMs = Math.max(retryAfterMs, result?.error?.retryAfterMs ?? 0);
        again.push(item);
        return;
      }
      final.push(item);
      this.#unanswered--;
      item.done(result);
    });
    const creditedSession = credited && sent.sessionId !== '' ? sent.sessionId : undefined;
    this.#events.settled(final, creditedSession, sent.items);
    this.#resendLater(again, retryAfterMs);
    this.flush();
    if (this.#unanswered === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  /** Sends the settlements of these batches again, because the report stream ended before the server answered them. */
  resend(batches: readonly number[]): void {
    const again: PendingSettlement[] = [];
    for (const batch of batches) {
      again.push(...(this.#sent.get(batch)?.items ?? []));
      this.#sent.delete(batch);
    }
    if (again.length > 0) this.#waiting = again.concat(this.#waiting);
    this.flush();
  }

  /** Drops all settlements. Nothing is sent after this. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#sent.clear();
  }

  /** Resolves when every settlement has been answered. */
  allAnswered(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #takeBatch(): PendingSettlement[] {
    let count = 0;
    let bytes = 0;
    for (const item of this.#waiting) {
      bytes += sizeOf(item);
      if (count === limits.batchItems || (count > 0 && bytes > batchBytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #send(items: readonly PendingSettlement[]): void {
    const sessionId = this.#events.sessionFor(items);
    const settlements = items.map((item) => item.settlement);
    const batch = this.#reports.sendSettlements(settlements, sessionId);
    this.#sent.set(batch, { items, sessionId });
  }

  #resendLater(items: readonly PendingSettlement[], retryAfterMs: number): void {
    if (items.length === 0) return;
    const tries = Math.max(...items.map((item) => item.tries++));
    this.#clock.after(reconnectMs(tries, this.#clock.random(), retryAfterMs), () => {
      this.#waiting.push(...items);
      this.flush();
    });
  }
}
