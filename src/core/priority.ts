/** Priorities of tasks, and the order in which a receive goes through them. */

export type Priority = 'high' | 'normal' | 'low';

/** All priorities, the highest first. */
export const priorities: readonly Priority[] = ['high', 'normal', 'low'];

/** One receive in 16 starts at the lowest priority, because strict order would starve it. */
const lowestFirstEvery = 16;
const lowestFirst = priorities.toReversed();

/** Returns the order of the next receive. `receiveCount` is the number of earlier receives that returned messages. */
export function priorityOrder(receiveCount: number): readonly Priority[] {
  return receiveCount % lowestFirstEvery === lowestFirstEvery - 1 ? lowestFirst : priorities;
}
