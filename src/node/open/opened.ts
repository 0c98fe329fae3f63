import type { HoldfastError } from '../../core/errors.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { CorrectedClock } from '../../platform/corrected-clock.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import type { Log } from '../../ports/log.ts';
import type { RequestObserver } from '../../ports/metrics.ts';
import type { Tracing } from '../../ports/tracing.ts';
import type { DutyOptions } from '../../runtime/nodes/duties.ts';
import type { QueueSettings } from '../../service/admin/queue-settings.ts';

export interface StoreOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly tracing?: Tracing | undefined;
  /**
   * The queues that this process uses. When the process starts, it logs an error for each of these queues that has no SQS
   * queue. Default: all registered queues.
   */
  readonly queues?: readonly QueueRef[] | undefined;
  /** Observes the requests of an engine to services below it. */
  readonly requests?: RequestObserver | undefined;
  /** Called when the store had to close its file after an error. The process must end; its next start recovers the store. */
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
}

/** An engine and the settings of a node that runs on it. */
export interface OpenedStore {
  readonly engine: Engine;
  readonly engineName: 'memory' | 'sqlite' | 'aws';
  /** The file of an embedded store; undefined if the store has none. */
  readonly path?: string | undefined;
  readonly clock: Clock;
  readonly createQueues: boolean;
  /** Refuses a store with another schema, before a server starts on it. Absent if opening the store has checked that. */
  readonly check?: (() => Promise<void>) | undefined;
  /** Refuses data of a newer version, before a server or a worker starts on it. Absent if opening the store has checked that. */
  readonly checkSchema?: (() => Promise<void>) | undefined;
  /** How long, in ms, a worker on this store lets running tasks finish when it stops. */
  readonly drainMs: number;
  readonly duties?: DutyOptions;
  /** Converts an error of the node's start into an error for the user. Default: the error itself. */
  readonly startError?: (thrown: unknown) => unknown;
  /** Called once with the settings of the queues, when the node starts. */
  readonly onQueueSettings?: (settings: QueueSettings) => void;
  /** The node's clock, if the clock of the store corrects it. */
  readonly corrected?: CorrectedClock;
}
