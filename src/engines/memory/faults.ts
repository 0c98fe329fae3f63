import type { DispatchMessage } from '../../ports/broker.ts';
import type { Change } from '../../ports/task-store.ts';

/** Describes one call to the store, the broker or the registry of the memory engine to the fault functions. */
export interface Operation {
  /** The called port and method, for example `store.append` or `broker.send`. */
  readonly name: string;
  /** The name that the calling process passed to `connect`, or '' for calls of the engine itself. */
  readonly caller: string;
  readonly items: number;
}

/**
 * Functions that inject faults into the memory engine, which calls them at each operation. An absent function injects no
 * fault. An operation takes effect atomically, between `before` and `after`.
 */
export interface Faults {
  /**
   * Called before the effect of an operation. The function may wait, throw (the operation then has no effect), or never
   * end (as if the caller had died before the effect).
   */
  before?(operation: Operation): Promise<void> | undefined;
  /**
   * Called after the effect of an operation. The function may wait, throw (as if the response were lost), or never end
   * (as if the caller had died after the effect).
   */
  after?(operation: Operation): Promise<void> | undefined;
  /** Decides what happens to a message of an external broker. `lost` reports success, but the message is never delivered. */
  send?(message: DispatchMessage): 'sent' | 'lost' | 'doubled' | 'failed';
  /** Returns how long, in ms, a message of an external broker is hidden after it was sent. */
  deliveryDelayMs?(message: DispatchMessage): number;
  /**
   * Returns how long, in ms, the due index (the times at which tasks must be acted on) lags behind the current states
   * of the tasks.
   */
  indexLagMs?(): number;
  /**
   * Returns how long, in ms, a new place in a lane is hidden from `lowest`, as from a query beside a transaction in progress.
   * A test that simulates AWS must answer the call that gave the place when the place is visible.
   */
  hiddenPlaceMs?(place: number): number;
  /**
   * Returns whether the broker accepts a receipt handle. `current` is true if the handle is valid. If the function then
   * returns false, the broker refuses the handle as stale too early.
   */
  handle?(current: boolean): boolean;
  /**
   * Returns whether the store applies a conditional write. `holds` is true if the condition of the write is fulfilled;
   * a test that returns another value breaks the store on purpose.
   */
  condition?(change: Change, holds: boolean): boolean;
}
