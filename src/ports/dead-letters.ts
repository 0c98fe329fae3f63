import type { HoldfastError } from '../core/errors.ts';
import type { DispatchMessage } from './broker.ts';
import type { QueueRef } from './task-store.ts';

/** What lies in a dead-letter queue: a notice of a death, or a bell that was not heard in its time. */
export interface DeadLetter {
  /** Undefined: nothing that this version of Holdfast wrote. */
  readonly message: DispatchMessage | undefined;
  /** Names this receipt of it; spent by `drop` and `giveBack`, by the next receipt, and by time. */
  readonly receiptHandle: string;
  /** As the queue names it, for whoever looks for it there. */
  readonly messageId: string;
  /** When it came there. */
  readonly sentAtMs: number;
}

/**
 * Where deaths are told to whoever watches the engine's own queues. It carries no truth: what is dead is what the store
 * lists as dead.
 */
export interface DeadLetters {
  /** A notice for each, of the reason `dead`; in the order given, a result each. A repeat is swallowed for minutes. */
  tell(deaths: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]>;
  /**
   * Some of what is not hidden, at most `most`; none: all of it was received. What is received is hidden for `hiddenMs`,
   * and everything else of its task with it.
   */
  receive(queue: QueueRef, most: number, hiddenMs: number): Promise<readonly DeadLetter[]>;
  /** For ever. False: a stale handle, or no answer; it comes back by itself. */
  drop(receiptHandles: readonly string[]): Promise<readonly boolean[]>;
  /** Hidden no longer. False: as with `drop`. */
  giveBack(receiptHandles: readonly string[]): Promise<readonly boolean[]>;
}
