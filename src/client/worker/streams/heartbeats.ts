import { limits, timing } from '../../../core/limits.ts';
import type { HeartbeatAnswer, ReportResponse } from '../../../core/messages.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Attempt } from '../attempt.ts';
import type { StopCause } from '../attempts.ts';
import type { ReportStream } from './report-stream.ts';

/** Heartbeats that are due within this fraction of the heartbeat interval are sent in one message. */
const coalesceFraction = 0.2;
/** The shortest time between two heartbeats of an attempt. */
const minIntervalMs = 250;
/** The shortest time between two progress reports of an attempt: each one is a write to the store. */
const progressEveryMs = 1_000;
/** The wait before a heartbeat is sent again if it could not be sent or the server could not renew the lease. */
const retryMs = 1_000;

export interface HeartbeatsEvents {
  /** Called when the server has answered a heartbeat with the request to stop the attempt. */
  stop(attempt: Attempt, cause: StopCause): void;
  /** Called when the server has recorded a heartbeat. */
  recorded(attempt: Attempt): void;
  /** Called with the time on the monotonic clock at which a heartbeat of some attempt is due. */
  due(atMs: number): void;
}

/**
 * Renews the lease of each running attempt after a third of the lease's duration. Leases that are due together go in
 * one message.
 */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #reports: ReportStream;
  readonly #events: HeartbeatsEvents;
  readonly #sent = new Map<number, readonly Attempt[]>();
  #everyMs: number = timing.heartbeatMs;

  constructor(clock: Clock, reports: ReportStream, events: HeartbeatsEvents) {
    this.#clock = clock;
    this.#reports = reports;
    this.#events = events;
  }

  /** Sets the interval of heartbeats that the server requested. */
  set everyMs(ms: number) {
    if (ms > 0) this.#everyMs = ms;
  }

  /** Brings the next heartbeat of an attempt forward, because it has progress to report. */
  progressMade(attempt: Attempt, nowMs: number): void {
    if (attempt.stopping) return;
    attempt.nextHeartbeatAtMs = Math.min(
      attempt.nextHeartbeatAtMs,
      Math.max(nowMs, attempt.lastHeartbeatAtMs + progressEveryMs),
    );
    this.#events.due(attempt.nextHeartbeatAtMs);
  }

  /** Sends the heartbeats that are due. Returns the time of the next heartbeat; undefined if no attempt needs one. */
  sendDue(running: Iterable<Attempt>, nowMs: number): number | undefined {
    const due: Attempt[] = [];
    let next = Number.POSITIVE_INFINITY;
    const untilMs = nowMs + this.#everyMs * coalesceFraction;
    let anyDue = false;
    for (const attempt of running) {
      if (attempt.stopping || attempt.heartbeatInFlight) continue;
      if (attempt.nextHeartbeatAtMs <= nowMs) anyDue = true;
      if (attempt.nextHeartbeatAtMs <= untilMs) due.push(attempt);
      else next = Math.min(next, attempt.nextHeartbeatAtMs);
    }
    if (!anyDue) for (const attempt of due.splice(0)) next = Math.min(next, attempt.nextHeartbeatAtMs);
    for (let from = 0; from < due.length; from += limits.batchItems) {
      if (!this.#send(due.slice(from, from + limits.batchItems), nowMs))
        next = Math.min(next, nowMs + retryMs);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Applies the server's answers to a batch of heartbeats. */
  answered({ batch, answers }: Extract<ReportResponse, { kind: 'heartbeats' }>): void {
    const attempts = this.#sent.get(batch);
    this.#sent.delete(batch);
    const nowMs = this.#clock.monotonic();
    attempts?.forEach((attempt, i) => {
      attempt.heartbeatInFlight = false;
      if (!attempt.over) this.#apply(attempt, answers[i], nowMs);
    });
  }

  /**
   * Called when a report stream ended before these heartbeat batches were answered. Makes their heartbeats due again
   * soon.
   */
  lost(batches: readonly number[]): void {
    const nowMs = this.#clock.monotonic();
    for (const batch of batches) {
      for (const attempt of this.#sent.get(batch) ?? []) {
        attempt.heartbeatInFlight = false;
        this.#dueAt(attempt, nowMs + minIntervalMs);
      }
      this.#sent.delete(batch);
    }
  }

  #send(attempts: readonly Attempt[], nowMs: number): boolean {
    if (this.#reports.freeBatches === 0) return false;
    const items = attempts.map(({ assignment, progress }) => ({
      lease: assignment.lease,
      begun: true,
      progress,
    }));
    let batch: number;
    try {
      batch = this.#reports.sendHeartbeats(items);
    } catch {
      // Leases are worth more than progress: the next try renews them without it.
      for (const attempt of attempts) attempt.progress = undefined;
      return false;
    }
    for (const attempt of attempts) {
      attempt.heartbeatInFlight = true;
      attempt.progress = undefined;
      attempt.lastHeartbeatAtMs = nowMs;
      attempt.nextHeartbeatAtMs = nowMs + this.#everyMs;
    }
    this.#sent.set(batch, attempts);
    return true;
  }

  #apply(attempt: Attempt, answer: HeartbeatAnswer | undefined, nowMs: number): void {
    switch (answer?.verdict) {
      case 'renewed': {
        const nextMs = Math.max(minIntervalMs, Math.min(this.#everyMs, answer.leaseMs / 3));
        this.#dueAt(attempt, nowMs + nextMs);
        this.#events.recorded(attempt);
        if (attempt.progress !== undefined) this.progressMade(attempt, nowMs);
        break;
      }
      case 'cancel':
        if (answer.cause !== 'paused' && answer.cause !== 'rebalance')
          this.#events.stop(attempt, answer.cause);
        break;
      case 'leaseLost':
        this.#events.stop(attempt, 'leaseLost');
        break;
      default:
        this.#dueAt(attempt, nowMs + retryMs);
    }
  }

  #dueAt(attempt: Attempt, atMs: number): void {
    attempt.nextHeartbeatAtMs = atMs;
    this.#events.due(atMs);
  }
}
