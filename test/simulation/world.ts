import type { MemoryEngine } from '../../src/engines/memory/index.ts';
import { memory } from '../../src/engines/memory/index.ts';
import type { TaskId } from '../../src/ports/task-store.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { seededRandom } from '../../src/testing/random.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import { Census } from './checks/census.ts';
import { Shadow } from './checks/shadow.ts';
import type { Rules } from './checks/violation.ts';
import { Waits } from './checks/waits.ts';
import { Tally } from './tally.ts';

/** Faults come until then, counted from the world's beginning. */
export const faultsEndMs = 90_000;

export interface WorldOptions {
  readonly seed: number;
  /** Invariants that say again what a mutant removed: for its hunt they do not count. */
  readonly blindTo?: readonly string[] | undefined;
}

/** What everything in one simulated world shares: one clock, one store, one stream of chance. */
export class World {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly engine: MemoryEngine;
  readonly rules: Rules;
  readonly shadow: Shadow;
  /** Whose bell each receipt is. */
  readonly receiveMessage = new Map<string, TaskId>();
  readonly waits = new Waits();
  readonly tally = new Tally();
  readonly census = new Census();
  readonly nature: 'external' | 'transactional';
  /** The first rule that was broken, or whatever else was thrown. */
  failure: unknown;
  readonly #random: () => number;

  constructor({ seed, blindTo = [] }: WorldOptions) {
    this.seed = seed;
    this.#random = seededRandom(seed * 2_654_435_761 + 17);
    this.clock = virtualClock({ seed, turns: 'driven', shuffle: true });
    this.nature = seed % 3 === 0 ? 'transactional' : 'external';
    const open = this.nature === 'external' ? externalMemory : memory;
    this.engine = open({
      clock: this.clock,
      faults: {
        send: () => (this.strikes('send failed', 0.01) ? 'failed' : this.#doubles()),
        deliveryDelayMs: () => (this.strikes('delivery delayed', 0.03) ? this.between(1, 4_000) : 0),
        indexLagMs: () => (this.faulty ? this.between(0, 800) : 0),
      },
    });
    const rules = {
      blindTo: new Set(blindTo),
      now: () => this.clock.now(),
      census: this.census,
      tally: this.tally,
    };
    this.rules = rules;
    this.shadow = new Shadow(rules);
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

  /** How long the next message is under way. */
  latencyMs(): number {
    return this.between(1, this.strikes('delayed message', 0.01) ? 8_000 : 20);
  }

  /** Whether a fault falls now; it is counted by its kind. */
  strikes(kind: string, p: number): boolean {
    if (!this.faulty || !this.chance(p)) return false;
    this.tally.count(kind);
    return true;
  }

  /** The same for what is no fault, but in order: told among the events. */
  happens(what: string, p: number): boolean {
    if (!this.faulty || !this.chance(p)) return false;
    this.tally.happened(what);
    return true;
  }

  fail(failure: unknown): void {
    this.failure ??= failure;
  }

  /** Begins something that nobody waits for; what it throws ends the world. */
  begin(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.fail(thrown));
  }

  #doubles(): 'sent' | 'doubled' {
    return this.strikes('delivery doubled', 0.03) ? 'doubled' : 'sent';
  }
}
