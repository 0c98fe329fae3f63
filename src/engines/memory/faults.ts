import type { DispatchMessage } from '../../ports/broker.ts';
import type { Change } from '../../ports/task-store.ts';

/** One call of a port, as it is passed to the faults. */
export interface Operation {
  /** The port and the method, for example `store.append` or `broker.send`. */
  readonly name: string;
  /** The name that the caller passed to `connect`, or '' for calls of the engine itself. */
  readonly caller: string;
  readonly items: number;
}

/**
 * Faults to inject, called at each operation. Without a fault function the operation is not disturbed. An operation takes
 * effect atomically, between `before` and `after`.
 */
export interface Faults {
  /**
   * Called before the effect of an operation. It may wait, throw (the operation then has no effect), or never end (as if
   * the caller had died before the effect).
   */
  before?(operation: Operation): Promise<void> | undefined;
  /**
   * Called after the effect of an operation. It may wait, throw (as if the response were lost), or never end (as if the
   * caller had died after the effect).
   */
  after?(operation: Operation): Promise<void> | undefined;
  /** Decides what happens to a message of an external broker. `lost` reports success, but the message is never delivered. */
  send?(message: DispatchMessage): 'sent' | 'lost' | 'doubled' | 'failed';
  /** Returns how long a message of an external broker is hidden after it was sent. */
  deliveryDelayMs?(message: DispatchMessage): number;
  /** Returns how long the due index lags behind the heads. */
  indexLagMs?(): number;
  /** Returns whether a receipt handle is accepted. `current` is true if it is valid; false then makes it stale too early. */
  handle?(current: boolean): boolean;
  /** Returns whether the condition of a change is taken to hold. `holds` is the truth; tests break the store with this. */
  condition?(change: Change, holds: boolean): boolean;
}
