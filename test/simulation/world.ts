import type { MemoryEngine } from '../../src/engines/memory/index.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { type VirtualClock, virtualClock } from '../../src/platform/virtual-clock.ts';
import { Receipts } from './receipts.ts';
import { Shadow } from './shadow.ts';
import { Tally } from './tally.ts';

/** Faults come until then, counted from the world's beginning. */
export const faultsEndMs = 90_000;

/** What everything in one simulated world shares: one clock, one store, one stream of chance. */
export class World {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly engine: MemoryEngine;
  readonly shadow: Shadow;
  readonly receipts: Receipts;
  readonly tally = new Tally();
  readonly nature: 'apart' | 'in-commit';
  /** The first rule that was broken, or whatever else was thrown. */
  failure: unknown;
  readonly #random: () => number;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = seededRandom(seed * 2_654_435_761 + 17);
    this.clock = virtualClock({ seed, turns: 'driven', shuffle: true });
    this.nature = seed % 3 === 0 ? 'in-commit' : 'apart';
    this.engine = memory({
      clock: this.clock,
      bells: this.nature,
      faults: {
        ring: () => (this.strikes('ring failed', 0.01) ? 'failed' : this.#doubles()),
        ringDelayMs: () => (this.strikes('ring delayed', 0.03) ? this.between(1, 4_000) : 0),
        indexLagMs: () => (this.faulty ? this.between(0, 800) : 0),
      },
    });
    this.receipts = new Receipts(
      () => this.clock.now(),
      (broken) => this.fail(broken),
    );
    this.shadow = new Shadow(() => this.clock.now());
  }

  get elapsedMs(): number {
    return this.clock.monotonic();
  }

  get faulty(): boolean {
    return this.elapsedMs < faultsEndMs;
  }

  chance(p: number): boolean {
    return this.#random() < p;
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.between(0, items.length - 1)];
  }

  /** Whether a fault falls now; it is counted by its kind. */
  strikes(kind: string, p: number): boolean {
    if (!this.faulty || !this.chance(p)) return false;
    this.tally.count(kind);
    return true;
  }

  fail(failure: unknown): void {
    this.failure ??= failure;
  }

  /** Begins something that nobody waits for; what it throws ends the world. */
  begin(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.fail(thrown));
  }

  #doubles(): 'rung' | 'doubled' {
    return this.strikes('ring doubled', 0.03) ? 'doubled' : 'rung';
  }
}
