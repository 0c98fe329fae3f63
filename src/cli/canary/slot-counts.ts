/** The results of a slot. Every result but `good` makes the slot bad. */
export const slotResults = ['good', 'unreachable', 'refused', 'late', 'failed', 'missed'] as const;
export type SlotResult = (typeof slotResults)[number];

/**
 * The metrics of the canary, by their names, in the form of the catalogue of metrics.
 *
 * `unreachable`: no server answered. `refused`: the server answered with a refusal, for example for a missing permission
 * or an unknown queue, or because it is overloaded. `late`: the result did not come within the slot. `failed`: the task
 * ended without a result. `missed`: the canary itself stood still for the slot.
 */
export const canaryMetrics = {
  'holdfast.canary.slots': {
    kind: 'counter',
    unit: '{slot}',
    labels: { result: slotResults },
    description: 'The slots of the canary by their results. Every result but `good` is bad.',
    usedBy: 'objective api-availability; alerts FastBudgetBurn, SlowBudgetBurn, CanaryMissing',
    on: ['canary'],
  },
} as const;

/** Counts the slots. The canary's loop knows only this; how the counts are exposed is no concern of it. */
export interface SlotCounter {
  count(result: SlotResult, slots: number): void;
}

/** The counts of this process, as a text that Prometheus reads. */
export class SlotCounts implements SlotCounter {
  readonly #counts = new Map<SlotResult, number>(slotResults.map((result) => [result, 0]));

  count(result: SlotResult, slots: number): void {
    this.#counts.set(result, (this.#counts.get(result) ?? 0) + slots);
  }

  of(result: SlotResult): number {
    return this.#counts.get(result) ?? 0;
  }

  /** Returns the counts in Prometheus's text format. Every result is there from the start, so that each rise counts. */
  text(): string {
    const { description } = canaryMetrics['holdfast.canary.slots'];
    const name = 'holdfast_canary_slots_total';
    const lines = slotResults.map((result) => `${name}{result="${result}"} ${this.of(result)}`);
    return [`# HELP ${name} ${description}`, `# TYPE ${name} counter`, ...lines, ''].join('\n');
  }
}
