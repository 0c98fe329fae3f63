/** The priorities of tasks, and the order in which a receive call goes through them. */

export type Priority = 'high' | 'normal' | 'low';

/** All priorities, the highest first. */
export const priorities: readonly Priority[] = ['high', 'normal', 'low'];

/**
 * One receive call in 16 begins with the lowest priority; otherwise tasks of low priority would never start while tasks
 * of higher priorities keep coming.
 */
const lowestFirstEvery = 16;
const lowestFirst = priorities.toReversed();

/**
 * Returns the order in which the next receive call goes through the priorities. `receiveCount` is the number of earlier
 * receive calls that returned messages.
 */
export function priorityOrder(receiveCount: number): readonly Priority[] {
  return receiveCount % lowestFirstEvery === lowestFirstEvery - 1 ? lowestFirst : priorities;
}
