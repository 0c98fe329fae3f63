import type { Reason } from '../../core/errors.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { readySinceMs } from '../../core/task/ready-since.ts';
import type {
  ClaimLossCause,
  GaugeSource,
  NodeMetrics,
  RepairCause,
  RequestObserver,
  SubmissionResult,
} from '../../ports/metrics.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { snakeCase } from './catalogue/tasks.ts';
import { claimedAtMs, endOfClaim } from './ended-claim.ts';
import type { Registry } from './registry.ts';
import type { Counter, Histogram } from './series.ts';
import { type TaskSeries, TaskSeriesIndex } from './task-series.ts';

function seconds(ms: number): number {
  return Math.max(0, ms) / 1_000;
}

/** Counts the work of a node in the series of a registry. */
export class NodeCounters implements NodeMetrics, RequestObserver {
  readonly #registry: Registry;
  readonly #tasks: TaskSeriesIndex;
  readonly #lateness: Histogram;
  readonly #dispatched: Counter;
  /** The durations of successful calls, by method: these are most of all calls. */
  readonly #calls = new Map<string, Histogram>();

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#tasks = new TaskSeriesIndex(registry);
    this.#lateness = registry.histogram('holdfast.heartbeat.lateness', {});
    this.#dispatched = registry.counter('holdfast.sweep.dispatched', {});
  }

  submitted(queue: QueueRef, type: string, result: SubmissionResult): void {
    this.#tasks.of(queue, type).submissions.of(result).value++;
  }

  submissionsRefused(submissions: number, reason: Reason): void {
    const why = reason.toLowerCase();
    this.#registry.counter('holdfast.submissions.refused', { why }).add(submissions);
  }

  changed(before: Snapshot, events: readonly TaskEvent[], begun?: boolean): void {
    const { scope, type } = before.submission;
    const series = this.#tasks.of(scope, type);
    let isEndCounted = false;
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as TaskEvent;
      if (event.kind === 'claimed') {
        this.#claimed(series, before, event, events[i - 1]);
        continue;
      }
      if (event.kind === 'leaseExpired') this.#leaseExpired(scope);
      const end = isEndCounted ? undefined : endOfClaim(before, event, begun);
      if (end !== undefined) {
        isEndCounted = true;
        const { ended, duration } = series.attempts.of(end);
        ended.value++;
        const sinceMs = claimedAtMs(before);
        if (sinceMs !== undefined) duration.record(seconds(event.atMs - sinceMs));
      }
      this.#taskEnded(series, before, event);
    }
  }

  #claimed(
    series: TaskSeries,
    before: Snapshot,
    { atMs, fencingToken }: TaskEvent & { kind: 'claimed' },
    previous: TaskEvent | undefined,
  ): void {
    const { submission } = before;
    if (submission.orderingKey !== undefined) return;
    const first = fencingToken === 1 ? (submission.submitted.runAtMs ?? submission.acceptedAtMs) : undefined;
    const sinceMs = previous?.atMs ?? first ?? readySinceMs(before);
    series.waits.of(submission.options.priority).record(seconds(atMs - sinceMs));
  }

  #taskEnded(series: TaskSeries, { submission }: Snapshot, event: TaskEvent): void {
    const { kind } = event;
    if (kind !== 'succeeded' && kind !== 'died' && kind !== 'cancelled') return;
    const outcome = kind === 'died' ? 'dead' : kind;
    series.ends(outcome, kind === 'died' ? event.reason : '').value++;
    const sinceMs = submission.submitted.runAtMs ?? submission.acceptedAtMs;
    series.ended.of(outcome).record(seconds(event.atMs - sinceMs));
  }

  #leaseExpired({ queue, tenant }: QueueRef): void {
    this.#registry.counter('holdfast.lease.expired', { queue, tenant }).add(1);
  }

  claimLost({ queue, tenant }: QueueRef, cause: ClaimLossCause): void {
    this.#registry.counter('holdfast.claim.lost', { queue, tenant, cause: snakeCase(cause) }).add(1);
  }

  settlementRefused({ queue, tenant }: QueueRef, reason: Reason): void {
    const cause = reason.toLowerCase();
    this.#registry.counter('holdfast.settlement.refused', { queue, tenant, cause }).add(1);
  }

  heartbeat(latenessMs: number): void {
    this.#lateness.record(seconds(latenessMs));
  }

  sweepDispatched(tasks: number): void {
    this.#dispatched.value += tasks;
  }

  repaired(cause: RepairCause, tasks: number): void {
    this.#registry.counter('holdfast.reconcile.repaired', { cause: snakeCase(cause) }).add(tasks);
  }

  called(method: string, status: string, reason: Reason | undefined, ms: number): void {
    const known = reason === undefined ? this.#calls.get(method) : undefined;
    if (known !== undefined) {
      known.record(seconds(ms));
      return;
    }
    const labels = {
      'rpc.method': method,
      'rpc.status_code': status,
      'error.type': reason?.toLowerCase() ?? '',
    };
    const duration = this.#registry.histogram('rpc.server.call.duration', labels);
    if (reason === undefined) this.#calls.set(method, duration);
    duration.record(seconds(ms));
  }

  request(operation: string, ms: number, isThrottled: boolean): void {
    this.#registry.histogram('holdfast.aws.request.duration', { operation }).record(seconds(ms));
    this.#registry.counter('holdfast.aws.throttled', { operation }).add(isThrottled ? 1 : 0);
  }

  addSource(source: GaugeSource): void {
    this.#registry.addSource(source);
  }
}
