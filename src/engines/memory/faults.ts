import type { DispatchMessage } from '../../ports/broker.ts';
import type { Change } from '../../ports/task-store.ts';

/** One call of a port, as a fault sees it. */
export interface Operation {
  /** Port and method: `store.append`, `bells.ring`. */
  readonly name: string;
  /** Who called, as named to `connect`; empty for the engine itself. */
  readonly caller: string;
  readonly items: number;
}

/**
 * What can go wrong, asked at each operation; absent: nothing does. An operation takes effect at one moment, in one
 * piece, between `before` and `after`.
 */
export interface Faults {
  /** Waits, throws (nothing was done), or never ends (the caller died before the effect). */
  before?(operation: Operation): Promise<void> | undefined;
  /** Waits, throws (done, but the answer was lost), or never ends (the caller died after the effect). */
  after?(operation: Operation): Promise<void> | undefined;
  /** `lost`: answered as rung and never heard. Only where bells are apart. */
  send?(message: DispatchMessage): 'sent' | 'lost' | 'doubled' | 'failed';
  /** How long a ring takes to be heard. Only where bells are apart. */
  deliveryDelayMs?(message: DispatchMessage): number;
  /** How long the index behind `due` lags behind the heads. */
  indexLagMs?(): number;
  /** Whether a handle counts, `current` being the truth. False for one that is current: gone stale early. */
  handle?(current: boolean): boolean;
  /** Whether a change's condition counts as met, `met` being the truth: for stores that are wrong on purpose. */
  condition?(change: Change, met: boolean): boolean;
}
