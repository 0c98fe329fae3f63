import type { Clock } from '../../../../ports/clock.ts';
import { visibilitySeconds } from './definition.ts';

/**
 * How long SQS hides messages at first that wait in a buffer of this process, in seconds. If the process is killed, other
 * workers receive them after this time.
 */
export const shortlyHiddenSeconds = 5;
/** The time after the receive at which messages that are still in use are hidden for longer, in ms. */
const extendAfterMs = 3_000;

/**
 * The messages of one SQS queue that were received with a short visibility timeout. Most of them are deleted or shown
 * again within seconds. The others, whose tasks run for longer, are hidden for the rest of the usual time before the
 * short one ends, by one call for those of one receive.
 */
export class ShortlyHidden {
  readonly #clock: Clock;
  readonly #hide: (receipt: string, seconds: number) => Promise<unknown>;
  readonly #receipts = new Set<string>();
  #isClosed = false;

  constructor(clock: Clock, hide: (receipt: string, seconds: number) => Promise<unknown>) {
    this.#clock = clock;
    this.#hide = hide;
  }

  /** Adds the messages of one receive. */
  add(receipts: readonly string[]): void {
    if (receipts.length === 0) return;
    for (const receipt of receipts) this.#receipts.add(receipt);
    this.#clock.after(extendAfterMs, () => this.#extend(receipts));
  }

  /**
   * Removes a message that is being deleted, shown, or hidden for a time of its own. Returns true if the message was
   * received with the short timeout less than 3 s ago.
   */
  remove(receipt: string): boolean {
    return this.#receipts.delete(receipt);
  }

  close(): void {
    this.#isClosed = true;
    this.#receipts.clear();
  }

  #extend(receipts: readonly string[]): void {
    if (this.#isClosed) return;
    for (const receipt of receipts) {
      if (!this.#receipts.delete(receipt)) continue;
      // A message that could not be hidden is received again, and its receiver finds the lease.
      this.#hide(receipt, visibilitySeconds - extendAfterMs / 1_000).catch(() => {});
    }
  }
}
