import { Heap } from './heap.ts';
import type { ReadyEntry } from './ready-list.ts';

interface Hidden {
  readonly entry: ReadyEntry;
  readonly receipt: number;
  readonly untilMs: number;
}

/**
 * Bells that somebody received and that come back at a time. Those as received all wait equally long, so the order
 * of receipt is the order of their ends; only those that were hidden by hand need a heap.
 */
export class InFlight {
  readonly #received = new Map<number, ReadyEntry>();
  readonly #hidden = new Heap<Hidden>((one) => one.untilMs);

  receive(entry: ReadyEntry, untilMs: number): void {
    entry.place = 'inFlight';
    entry.hiddenUntilMs = untilMs;
    this.#received.set(entry.seq, entry);
  }

  hide(entry: ReadyEntry, untilMs: number): void {
    this.#received.delete(entry.seq);
    entry.place = 'inFlight';
    entry.hiddenUntilMs = untilMs;
    this.#hidden.push({ entry, receipt: entry.receipt, untilMs });
  }

  drop(entry: ReadyEntry): void {
    if (entry.place === 'inFlight') this.#received.delete(entry.seq);
  }

  /** Those whose time has come, out of here. */
  ripe(nowMs: number): ReadyEntry[] {
    const ripe: ReadyEntry[] = [];
    for (const entry of this.#received.values()) {
      if (entry.hiddenUntilMs > nowMs) break;
      ripe.push(entry);
    }
    for (const entry of ripe) this.#received.delete(entry.seq);
    for (let next = this.#hidden.peek(); next !== undefined; next = this.#hidden.peek()) {
      if (this.#isCurrent(next) && next.untilMs > nowMs) break;
      this.#hidden.pop();
      if (this.#isCurrent(next)) ripe.push(next.entry);
    }
    return ripe;
  }

  /** When the next one's time comes. */
  nextMs(): number | undefined {
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

  #isCurrent({ entry, receipt, untilMs }: Hidden): boolean {
    return entry.place === 'inFlight' && entry.receipt === receipt && entry.hiddenUntilMs === untilMs;
  }
}
