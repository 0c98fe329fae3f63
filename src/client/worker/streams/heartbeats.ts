import { limits, timing } from '../../../core/limits.ts';
import type { CancelCause, HeartbeatAnswer, ReportResponse } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Attempt } from '../attempt.ts';
import type { ReportLink } from './report-stream.ts';

/** Leases due within this part of a heartbeat's time are renewed together. */
const together = 0.2;
const soonestMs = 250;
/** Progress is a write: told at most so often. */
const progressEveryMs = 1_000;
/** Where the store could not be asked, or the answer was lost. */
const againMs = 1_000;

export interface HeartbeatsEvents {
  stop(attempt: Attempt, cause: CancelCause): void;
  /** Some attempt's next heartbeat is then. */
  due(atMs: number): void;
}

/** Renews every running attempt's lease each third of it, all that are due in one message. */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #link: ReportLink;
  readonly #events: HeartbeatsEvents;
  readonly #sent = new Map<number, readonly Attempt[]>();
  #everyMs: number = timing.heartbeatMs;

  constructor(clock: Clock, link: ReportLink, events: HeartbeatsEvents) {
    this.#clock = clock;
    this.#link = link;
    this.#events = events;
  }

  set everyMs(ms: number) {
    if (ms > 0) this.#everyMs = ms;
  }

  /** There is progress to tell. */
  hasten(attempt: Attempt, nowMs: number): void {
    if (attempt.stopping) return;
    attempt.beatAtMs = Math.min(attempt.beatAtMs, Math.max(nowMs, attempt.lastBeatAtMs + progressEveryMs));
    this.#events.due(attempt.beatAtMs);
  }

  /** Sends what is due; when the next one is. */
  beat(running: Iterable<Attempt>, nowMs: number): number | undefined {
    const due: Attempt[] = [];
    let next = Number.POSITIVE_INFINITY;
    const untilMs = nowMs + this.#everyMs * together;
    let anyDue = false;
    for (const attempt of running) {
      if (attempt.stopping || attempt.beating) continue;
      if (attempt.beatAtMs <= nowMs) anyDue = true;
      if (attempt.beatAtMs <= untilMs) due.push(attempt);
      else next = Math.min(next, attempt.beatAtMs);
    }
    if (!anyDue) for (const attempt of due.splice(0)) next = Math.min(next, attempt.beatAtMs);
    for (let from = 0; from < due.length; from += limits.batchItems) {
      if (!this.#send(due.slice(from, from + limits.batchItems), nowMs))
        next = Math.min(next, nowMs + againMs);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  answered({ batch, answers }: Extract<ReportResponse, { kind: 'heartbeats' }>): void {
    const attempts = this.#sent.get(batch);
    this.#sent.delete(batch);
    const nowMs = this.#clock.monotonic();
    attempts?.forEach((attempt, i) => {
      attempt.beating = false;
      if (!attempt.over) this.#take(attempt, answers[i], nowMs);
    });
  }

  lost(batches: readonly number[]): void {
    const nowMs = this.#clock.monotonic();
    for (const batch of batches) {
      for (const attempt of this.#sent.get(batch) ?? []) {
        attempt.beating = false;
        this.#dueAt(attempt, nowMs + soonestMs);
      }
      this.#sent.delete(batch);
    }
  }

  #send(attempts: readonly Attempt[], nowMs: number): boolean {
    if (this.#link.room === 0) return false;
    const items = attempts.map(({ assignment, progress }) => ({ lease: assignment.lease, progress }));
    for (const attempt of attempts) {
      attempt.beating = true;
      attempt.progress = undefined;
      attempt.lastBeatAtMs = nowMs;
      attempt.beatAtMs = nowMs + this.#everyMs;
    }
    this.#sent.set(this.#link.beat(items), attempts);
    return true;
  }

  #take(attempt: Attempt, answer: HeartbeatAnswer | undefined, nowMs: number): void {
    switch (answer?.verdict) {
      case 'renewed': {
        const nextMs = Math.max(soonestMs, Math.min(this.#everyMs, answer.leaseMs / 3));
        this.#dueAt(attempt, nowMs + nextMs);
        if (attempt.progress !== undefined) this.hasten(attempt, nowMs);
        break;
      }
      case 'cancel':
        this.#events.stop(attempt, answer.cause);
        break;
      case 'leaseLost':
        this.#events.stop(attempt, 'leaseLost');
        break;
      default:
        this.#dueAt(attempt, nowMs + againMs);
    }
  }

  #dueAt(attempt: Attempt, atMs: number): void {
    attempt.beatAtMs = atMs;
    this.#events.due(atMs);
  }
}
