import type { Clock } from '../../ports/clock.ts';
import type { Duration } from '../duration.ts';
import type { Logger } from '../log.ts';
import type { Transport } from '../transport.ts';
import type { SubmitChild } from './attempt.ts';

/** A running worker, returned by `client.work`. Disposing of it (`await using`) drains it. */
export interface RunningWorker extends AsyncDisposable {
  /**
   * Resolves when the worker has stopped. Rejects if the server refuses this worker, for example for a missing
   * permission.
   */
  readonly done: Promise<void>;
  /**
   * Stops the worker gracefully: it takes no more tasks, releases the tasks that it has not started, and lets running
   * attempts finish. After `timeout` (default: 30 s) it aborts the signals of the attempts that still run, with kind
   * `shutdown`; the tasks of attempts that do not end within 1 s go back to their queue without using an attempt.
   * Resolves when `done` does.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<void>;
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
}
