import { type SlotCounter, type SlotResult, slotResults } from '../../core/objectives/slot-results.ts';
import type { Registry } from './registry.ts';
import type { Counter } from './series.ts';

/** Counts the slots of a canary. Every result has a series from the start, so that Prometheus sees each rise. */
export class SlotCounts implements SlotCounter {
  readonly #counters: ReadonlyMap<SlotResult, Counter>;

  constructor(registry: Registry) {
    this.#counters = new Map(
      slotResults.map((result) => [result, registry.counter('holdfast.canary.slots', { result })]),
    );
  }

  count(result: SlotResult, slots: number): void {
    this.#counters.get(result)?.add(slots);
  }
}
