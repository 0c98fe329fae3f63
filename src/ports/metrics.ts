import type { Reason } from '../core/errors.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import type { TaskEvent } from '../core/task/event.ts';
import type { Snapshot } from './task-store.ts';

export type SubmissionResult = 'accepted' | 'deduplicated' | 'conflict' | 'refused';

/** Why a claim gave its worker no task although a delivery of it was received. */
export type ClaimLossCause = 'race' | 'storeFailed' | 'unanswered';

/** The kinds of tasks that the reconciler puts right. They would otherwise have waited for ever. */
export type RepairCause = 'messageLost' | 'lapsed';

/**
 * Counts the work of a node. Every method only adds to numbers in memory, so that the service may call it once for each
 * task. A node without metrics has no such object.
 */
export interface NodeMetrics {
  /** Counts one item of a submit call. */
  submitted(queue: QueueRef, type: string, result: SubmissionResult): void;
  /** Counts submissions that were refused, alone or with their whole call. */
  submissionsRefused(submissions: number, reason: Reason): void;
  /**
   * Counts a committed change of a task. `before` is the task as it was before the events. `begun` is false if the events
   * release an attempt whose handler was not called.
   */
  changed(before: Snapshot, events: readonly TaskEvent[], begun?: boolean): void;
  claimLost(queue: QueueRef, cause: ClaimLossCause): void;
  settlementRefused(queue: QueueRef, reason: Reason): void;
  /** Records how long after the end of its interval a heartbeat came; a heartbeat that is early has 0. */
  heartbeat(latenessMs: number): void;
  /** Counts tasks that the sweep made ready. */
  sweepDispatched(tasks: number): void;
  repaired(cause: RepairCause, tasks: number): void;
  /** Counts a unary call of the API. `reason` is undefined if the call succeeded. */
  called(method: string, status: string, reason: Reason | undefined, ms: number): void;
  /** Adds a source of gauges, which is read when the metrics are collected. */
  addSource(source: GaugeSource): void;
}

/** A source of gauges: values that are read, and not counted, such as the number of tasks of a queue. */
export interface GaugeSource {
  readonly name: string;
  /** The shortest time in ms between two reads. Collections in between use the values of the last read. */
  readonly everyMs: number;
  read(gauges: Gauges): Promise<void> | void;
}

export interface Gauges {
  /**
   * Sets a gauge of the catalogue, or a counter that another part counts. If several values have the same labels, the
   * catalogue says whether their sum or the largest one is shown.
   */
  set(name: string, labels: Readonly<Record<string, string>>, value: number): void;
}

/** Observes the single requests of an engine to a service below it. */
export interface RequestObserver {
  /** Records one HTTP request, also one of the SDK's retries. */
  request(operation: string, ms: number, isThrottled: boolean): void;
}

/** Counts the attempts of a worker's own process. */
export interface WorkerMetrics {
  /** Counts tasks that were given to the worker. */
  consumed(queue: string, tasks: number): void;
  /** Records an attempt whose handler has ended. `outcome` is undefined if its lease was lost. */
  processed(queue: string, outcome: string | undefined, ms: number): void;
  /** Records a call to the server. */
  called(method: string, status: string, reason: Reason | undefined, ms: number): void;
  /** Records the submissions of one call, and how long the call took. */
  sent(queue: string, tasks: number, reason: Reason | undefined, ms: number): void;
  addSource(source: GaugeSource): void;
}
