import type { HoldfastError } from '../../core/errors.ts';
import type { CorrectedClock } from '../../platform/corrected-clock.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import type { Log } from '../../ports/log.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import type { DutyOptions } from '../../runtime/nodes/duties.ts';
import type { QueueSettings } from '../../service/admin/queue-settings.ts';

export interface EngineChoice {
  readonly clock: Clock;
  readonly log: Log;
  /** Those that this process is for; what they lack is told at its start. Default: all that are registered. */
  readonly queues?: readonly QueueRef[] | undefined;
  /** The store let go of its file: the process must end, and the next start recovers. */
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
}

/** An engine, and what a node on it needs to know. */
export interface OpenedStore {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly createQueues: boolean;
  /** How long running work gets when the node closes. */
  readonly drainMs: number;
  readonly duties?: DutyOptions;
  /** What the node's start met, as it is told to whoever starts it. Default: as it is. */
  readonly startError?: (thrown: unknown) => unknown;
  readonly learn?: (settings: QueueSettings) => void;
  /** Where the clock is measured by the store's. */
  readonly corrected?: CorrectedClock;
}
