import type { Clock } from '../../ports/clock.ts';
import type { Duration } from '../duration.ts';
import type { Logger } from '../log.ts';
import type { Transport } from '../transport.ts';
import type { SubmitChild } from './attempt.ts';

/** A worker under way. Disposing of it drains it. */
export interface Running extends AsyncDisposable {
  /** Resolves when it has stopped; rejects where the server does not take this worker. */
  readonly done: Promise<void>;
  /**
   * Takes no more work, gives back what was not begun, lets the rest finish. Past `timeout` (default 30 s) the
   * handlers' signals are aborted (`shutdown`) and what does not end then is given back too. Resolves with `done`.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<void>;
}

export interface WorkerParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
  readonly log: Logger;
  /** For workers that have no name of their own. */
  readonly workerName: string;
  readonly submit: SubmitChild;
}
