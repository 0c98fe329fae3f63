import { Heap } from './heap.ts';
import type { ReadyEntry } from './ready-list.ts';

interface HiddenEntry {
  readonly entry: ReadyEntry;
  readonly receipt: number;
  readonly untilMs: number;
}

/**
 * The in-flight deliveries: entries of the ready index that were received and are hidden until their visibility timeout
 * ends. Every receive call hides its entries for the same length of time, so entries become visible in the order in
 * which they were received. Only entries whose visibility timeout was changed need a heap.
 */
export class InFlight {
  readonly #received = new Map<number, ReadyEntry>();
  readonly #hidden = new Heap<HiddenEntry>((one) => one.untilMs);

  receive(entry: ReadyEntry, untilMs: number): void {
    entry.deliveryStatus = 'inFlight';
    entry.hiddenUntilMs = untilMs;
    this.#received.set(entry.seq, entry);
  }

  hide(entry: ReadyEntry, untilMs: number): void {
    this.#received.delete(entry.seq);
    entry.deliveryStatus = 'inFlight';
    entry.hiddenUntilMs = untilMs;
    this.#hidden.push({ entry, receipt: entry.receipt, untilMs });
  }

  remove(entry: ReadyEntry): void {
    if (entry.deliveryStatus === 'inFlight') this.#received.delete(entry.seq);
  }

  /** Removes the in-flight deliveries whose visibility timeout has ended, and returns their entries. */
  takeVisible(nowMs: number): ReadyEntry[] {
    const visible: ReadyEntry[] = [];
    for (const entry of this.#received.values()) {
      if (entry.hiddenUntilMs > nowMs) break;
      visible.push(entry);
    }
    for (const entry of visible) this.#received.delete(entry.seq);
    for (let next = this.#hidden.peek(); next !== undefined; next = this.#hidden.peek()) {
      if (this.#isCurrent(next) && next.untilMs > nowMs) break;
      this.#hidden.pop();
      if (this.#isCurrent(next)) visible.push(next.entry);
    }
    return visible;
  }

  /**
   * Returns the earliest time in ms at which an in-flight delivery becomes visible again, or undefined if none is in
   * flight.
   */
  nextVisibleMs(): number | undefined {
    const [first] = this.#received.values();
    const received = first?.hiddenUntilMs;
    const hidden = this.#hidden.peek()?.untilMs;
    if (received === undefined) return hidden;
    return hidden === undefined ? received : Math.min(received, hidden);
  }

  clear(): void {
    this.#received.clear();
    while (this.#hidden.pop() !== undefined);
  }

  #isCurrent({ entry, receipt, untilMs }: HiddenEntry): boolean {
    return (
      entry.deliveryStatus === 'inFlight' && entry.receipt === receipt && entry.hiddenUntilMs === untilMs
    );
  }
}
