import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { ReportResponse, Settlement, SettleResult } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import { errorOf, reconnectMs } from '../../backoff.ts';
import type { CreditPeriod } from './credits.ts';
import type { ReportStream } from './report-stream.ts';

const batchBytes = limits.wireMessageBytes - 65_536;
const itemOverheadBytes = 128;

/** A settlement to which the server has not given its final answer. */
export interface PendingSettlement {
  settlement: Settlement;
  /** The task type; empty if the worker does not handle the task. */
  readonly type: string;
  readonly specBytes: number;
  tries: number;
  /**
   * Called once if the settlement cannot be sent, or the server refuses it as invalid. Returns the settlement that is
   * sent instead; undefined if there is none, and then the error is the final answer.
   */
  replace(error: HoldfastError): Settlement | undefined;
  /** Called once with the server's final answer: recorded or refused. */
  done(result: SettleResult): void;
}

interface SentBatch {
  readonly items: readonly PendingSettlement[];
  /** The period in which the batch returns its credit. */
  readonly period: CreditPeriod;
}

export interface SettlementsEvents {
  /** Returns the period in which a batch of settlements returns its credit; `noPeriod` if it must return none. */
  periodFor(batch: readonly PendingSettlement[]): CreditPeriod;
  /**
   * Called when the server has given its `final` answer to settlements of a `sent` batch. `credited` is the period in
   * which the credit of the whole batch went back, if it did.
   */
  settled(
    final: readonly PendingSettlement[],
    credited: CreditPeriod | undefined,
    sent: readonly PendingSettlement[],
  ): void;
  /** Called when the worker cannot know how much credit a batch of this period has returned. */
  creditUnknown(period: CreditPeriod): void;
}

function sizeOf({ settlement }: PendingSettlement): number {
  const { lease, result, message, errorType } = settlement;
  return lease.length + (result?.length ?? 0) + 3 * (message.length + errorType.length) + itemOverheadBytes;
}

/** Returns true if the server would refuse the same settlement again, but may take another one for the same lease. */
function isInvalid({ code, reason }: HoldfastError): boolean {
  return code === 'INVALID_ARGUMENT' || reason === 'TOO_LARGE';
}

/**
 * Sends the settlements of one turn of the event loop as one batch. Each settlement is kept until the server has
 * answered it; after a lost connection, unanswered settlements are sent again before newer ones. A settlement that is
 * invalid is replaced, and concerns no other settlement of its batch.
 */
export class Settlements {
  readonly #clock: Clock;
  readonly #reports: ReportStream;
  readonly #events: SettlementsEvents;
  #waiting: PendingSettlement[] = [];
  readonly #sent = new Map<number, SentBatch>();
  /** Settlements of a batch that could not be encoded. Each is sent in a batch of its own. */
  readonly #alone = new Set<PendingSettlement>();
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
    const replaced: PendingSettlement[] = [];
    let retryAfterMs = 0;
    let isCreditKnown = true;
    const final: PendingSettlement[] = [];
    sent.items.forEach((item, i) => {
      const result = results[i];
      const error = result?.error === undefined ? undefined : errorOf(result.error);
      if (error !== undefined && isInvalid(error)) {
        isCreditKnown = false;
        if (this.#replace(item, error)) {
          replaced.push(item);
          return;
        }
      }
      if (result === undefined || error?.retryable === true) {
        retryAfterMs = Math.max(retryAfterMs, error?.retryAfterMs ?? 0);
        again.push(item);
        return;
      }
      final.push(item);
      this.#unanswered--;
      item.done(result);
    });
    this.#events.settled(final, credited && isCreditKnown ? sent.period : undefined, sent.items);
    // An older server credits such a batch without its invalid items; others credit all of it or nothing.
    if (credited && !isCreditKnown) this.#events.creditUnknown(sent.period);
    this.#resendLater(again, retryAfterMs);
    this.#waiting.push(...replaced);
    this.flush();
    this.#wakeIfIdle();
  }

  /** Sends the settlements of these batches again, because the report stream ended before the server answered them. */
  resend(batches: readonly number[]): void {
    const again: PendingSettlement[] = [];
    const periods = new Set<CreditPeriod>();
    for (const batch of batches) {
      const sent = this.#sent.get(batch);
      if (sent === undefined) continue;
      again.push(...sent.items);
      periods.add(sent.period);
      this.#sent.delete(batch);
    }
    if (again.length > 0) this.#waiting = again.concat(this.#waiting);
    // The server may have returned the credits before the stream ended.
    for (const period of periods) this.#events.creditUnknown(period);
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
      const full = count === limits.batchItems || bytes > batchBytes || this.#alone.has(item);
      if (count > 0 && full) break;
      count++;
      if (this.#alone.delete(item)) break;
    }
    return this.#waiting.splice(0, count);
  }

  #send(items: readonly PendingSettlement[]): void {
    const period = this.#events.periodFor(items);
    const settlements = items.map((item) => item.settlement);
    let batch: number;
    try {
      batch = this.#reports.sendSettlements(settlements, period);
    } catch (thrown) {
      this.#notSent(items, asHoldfastError(thrown));
      return;
    }
    this.#sent.set(batch, { items, period });
  }

  /**
   * Handles a batch that cannot be encoded: each settlement of it is sent alone next. One that was alone is replaced; if
   * it was replaced before, the error is its final answer.
   */
  #notSent(items: readonly PendingSettlement[], error: HoldfastError): void {
    const [only, another] = items;
    if (another !== undefined) for (const item of items) this.#alone.add(item);
    else if (only !== undefined && !this.#replace(only, error)) {
      this.#unanswered--;
      only.done({ error });
      this.#events.settled([only], undefined, []);
      this.#wakeIfIdle();
      return;
    }
    this.#waiting.unshift(...items);
  }

  /** Replaces an invalid settlement. Returns false if there is no replacement. */
  #replace(item: PendingSettlement, error: HoldfastError): boolean {
    const replacement = item.replace(error);
    if (replacement === undefined) return false;
    item.settlement = replacement;
    return true;
  }

  #wakeIfIdle(): void {
    if (this.#unanswered === 0) for (const wake of this.#idle.splice(0)) wake();
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
