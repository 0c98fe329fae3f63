import type { Clock } from '../../ports/clock.ts';
import type { WorkerMetrics } from '../../ports/metrics.ts';
import type { Tracing } from '../../ports/tracing.ts';
import type { WorkerSpec } from '../contract/handler.ts';
import type { Duration } from '../duration.ts';
import type { Logger } from '../log.ts';
import type { Transport } from '../transport.ts';
import type { SubmitChild } from './attempt.ts';

/** The result of a drain: how the attempts ended that ran when it began. */
export interface DrainReport {
  /** The number of attempts whose handlers returned or threw. */
  readonly finished: number;
  /** The number of attempts whose tasks went back to their queues because they did not end in time. */
  readonly released: number;
  /**
   * The number of outcomes that the server has not acknowledged. Their tasks are run again when their leases have
   * expired.
   */
  readonly unanswered: number;
  /** The number of handlers that ignored their signals and still run. They end with the process. */
  readonly stillRunning: number;
}

/** A running worker, returned by `client.work`. Disposing of it (`await using`) drains it. */
export interface RunningWorker extends AsyncDisposable {
  /**
   * Resolves when the worker has stopped. Rejects if the server refuses this worker, for example for a missing
   * permission.
   */
  readonly done: Promise<void>;
  /**
   * Stops the worker gracefully: it takes no more tasks, releases the tasks that it has not started, aborts
   * `context.stopping` of the running attempts, and lets them finish. After `timeout` (default: 25 s) it aborts the
   * signals of the attempts that still run, with kind `shutdown`; the tasks of attempts that do not end at once go back
   * to their queue without using an attempt. Resolves when `done` does, at the latest 1 s after `timeout`: an outcome
   * that the server has not acknowledged by then is left to its lease.
   *
   * A handler that ignores both signals goes on in this process, beside the next attempt of its task. A program that
   * runs such handlers must end itself after the drain, as `holdfast worker` does.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<DrainReport>;
}

/** The parts of a client that a worker needs. */
export interface WorkerParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
  readonly log: Logger;
  /** The name of a worker whose definition has no name. */
  readonly workerName: string;
  readonly submit: SubmitChild;
  readonly tracing: Tracing;
  /**
   * True if the server is in this process: the worker then fetches nothing ahead, and each task begins when it is
   * claimed.
   */
  readonly beginsAtOnce: boolean;
  readonly metrics?: WorkerMetrics | undefined;
}

/** The type of `startWorker`: starts a worker with the parts of its client. */
export type StartWorker = (worker: WorkerSpec, parts: WorkerParts) => RunningWorker;
