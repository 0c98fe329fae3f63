/**
 * The results of a slot of the canary. Every result but `good` makes the slot bad.
 *
 * `unreachable`: no server answered. `refused`: the server answered with a refusal, for example for a missing permission
 * or an unknown queue, or because it is overloaded. `late`: the result did not come within the slot. `failed`: the task
 * ended without a result. `missed`: the canary itself stood still for the slot.
 */
export const slotResults = ['good', 'unreachable', 'refused', 'late', 'failed', 'missed'] as const;
export type SlotResult = (typeof slotResults)[number];

/** Counts the slots of a canary by their results. */
export interface SlotCounter {
  count(result: SlotResult, slots: number): void;
}
