import { limits, timing } from '../../../core/limits.ts';
import type { Assignment, HeartbeatAnswer, ReportResponse } from '../../../core/messages.ts';
import type { Progress } from '../../../core/task/head.ts';
import type { Clock } from '../../../ports/clock.ts';
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

/**
 * A lease that the worker renews: of a running attempt, or of a task that waits until it may run alone. All times are on
 * the monotonic clock.
 */
export interface RenewedLease {
  readonly assignment: Assignment;
  /** True if the handler was called, or is called once this heartbeat is recorded. */
  readonly begun: boolean;
  /** The time at which the next heartbeat is due. */
  nextHeartbeatAtMs: number;
  lastHeartbeatAtMs: number;
  /** True while a heartbeat is sent and not answered. */
  heartbeatInFlight: boolean;
  /** The progress that the next heartbeat reports. */
  progress: Progress | undefined;
  /** True if heartbeats no longer renew the lease. */
  readonly stopping: boolean;
  /** True once the worker does not hold the lease any more, or another object renews it: the attempt of a task that waited. */
  readonly over: boolean;
}

export interface HeartbeatsEvents<Lease extends RenewedLease> {
  /** Called when the server has answered a heartbeat with the request to stop the attempt. */
  stop(lease: Lease, cause: StopCause): void;
  /** Called when the server has recorded a heartbeat. */
  recorded(lease: Lease): void;
  /** Called with the time on the monotonic clock at which some heartbeat is due. */
  due(atMs: number): void;
}

/** Renews each lease after a third of its duration. Leases that are due together go in one message. */
export class Heartbeats<Lease extends RenewedLease> {
  readonly #clock: Clock;
  readonly #reports: ReportStream;
  readonly #events: HeartbeatsEvents<Lease>;
  readonly #sent = new Map<number, readonly Lease[]>();
  #everyMs: number = timing.heartbeatMs;

  constructor(clock: Clock, reports: ReportStream, events: HeartbeatsEvents<Lease>) {
    this.#clock = clock;
    this.#reports = reports;
    this.#events = events;
  }

  /** Sets the interval of heartbeats that the server requested. */
  set everyMs(ms: number) {
    if (ms > 0) this.#everyMs = ms;
  }

  /** Brings the next heartbeat of a lease forward, because it has progress to report. */
  progressMade(lease: Lease, nowMs: number): void {
    if (lease.stopping) return;
    lease.nextHeartbeatAtMs = Math.min(
      lease.nextHeartbeatAtMs,
      Math.max(nowMs, lease.lastHeartbeatAtMs + progressEveryMs),
    );
    this.#events.due(lease.nextHeartbeatAtMs);
  }

  /** Sends the heartbeats that are due. Returns the time of the next heartbeat; undefined if no lease needs one. */
  sendDue(running: Iterable<Lease>, nowMs: number): number | undefined {
    const due: Lease[] = [];
    let next = Number.POSITIVE_INFINITY;
    const untilMs = nowMs + this.#everyMs * coalesceFraction;
    let anyDue = false;
    for (const lease of running) {
      if (lease.stopping || lease.heartbeatInFlight) continue;
      if (lease.nextHeartbeatAtMs <= nowMs) anyDue = true;
      if (lease.nextHeartbeatAtMs <= untilMs) due.push(lease);
      else next = Math.min(next, lease.nextHeartbeatAtMs);
    }
    if (!anyDue) for (const lease of due.splice(0)) next = Math.min(next, lease.nextHeartbeatAtMs);
    for (let from = 0; from < due.length; from += limits.batchItems) {
      if (!this.#send(due.slice(from, from + limits.batchItems), nowMs))
        next = Math.min(next, nowMs + retryMs);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Applies the server's answers to a batch of heartbeats. */
  answered({ batch, answers }: Extract<ReportResponse, { kind: 'heartbeats' }>): void {
    const leases = this.#sent.get(batch);
    this.#sent.delete(batch);
    const nowMs = this.#clock.monotonic();
    leases?.forEach((lease, i) => {
      lease.heartbeatInFlight = false;
      if (!lease.over) this.#apply(lease, answers[i], nowMs);
    });
  }

  /**
   * Called when a report stream ended before these heartbeat batches were answered. Makes their heartbeats due again
   * soon.
   */
  lost(batches: readonly number[]): void {
    const nowMs = this.#clock.monotonic();
    for (const batch of batches) {
      for (const lease of this.#sent.get(batch) ?? []) {
        lease.heartbeatInFlight = false;
        this.#dueAt(lease, nowMs + minIntervalMs);
      }
      this.#sent.delete(batch);
    }
  }

  #send(leases: readonly Lease[], nowMs: number): boolean {
    if (this.#reports.freeBatches === 0) return false;
    const items = leases.map(({ assignment, begun, progress }) => ({
      lease: assignment.lease,
      begun,
      progress,
    }));
    let batch: number;
    try {
      batch = this.#reports.sendHeartbeats(items);
    } catch {
      // Leases are worth more than progress: the next try renews them without it.
      for (const lease of leases) lease.progress = undefined;
      return false;
    }
    for (const lease of leases) {
      lease.heartbeatInFlight = true;
      lease.progress = undefined;
      lease.lastHeartbeatAtMs = nowMs;
      lease.nextHeartbeatAtMs = nowMs + this.#everyMs;
    }
    this.#sent.set(batch, leases);
    return true;
  }

  #apply(lease: Lease, answer: HeartbeatAnswer | undefined, nowMs: number): void {
    switch (answer?.verdict) {
      case 'renewed': {
        const nextMs = Math.max(minIntervalMs, Math.min(this.#everyMs, answer.leaseMs / 3));
        this.#dueAt(lease, nowMs + nextMs);
        this.#events.recorded(lease);
        if (lease.progress !== undefined) this.progressMade(lease, nowMs);
        break;
      }
      case 'cancel':
        if (answer.cause !== 'paused' && answer.cause !== 'rebalance') this.#events.stop(lease, answer.cause);
        break;
      case 'leaseLost':
        this.#events.stop(lease, 'leaseLost');
        break;
      default:
        this.#dueAt(lease, nowMs + retryMs);
    }
  }

  #dueAt(lease: Lease, atMs: number): void {
    lease.nextHeartbeatAtMs = atMs;
    this.#events.due(atMs);
  }
}
