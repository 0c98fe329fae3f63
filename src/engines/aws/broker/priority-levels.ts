import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import { defaultPriorities } from './sqs/definition.ts';

/** The priorities that a queue has an SQS queue for. None, or undefined: the default ones. */
export type PrioritiesOf = (queue: QueueRef) => readonly Priority[];

export function enabledOf(queue: QueueRef, prioritiesOf: PrioritiesOf | undefined): readonly Priority[] {
  const enabled = prioritiesOf?.(queue) ?? [];
  return enabled.length > 0 ? enabled : defaultPriorities;
}

/**
 * Where a bell goes: its own priority if that is enabled, else the nearest one; of two that are equally near, the
 * higher, since a bell that comes too early does no harm.
 */
export function levelOf(priority: Priority, enabled: readonly Priority[]): Priority {
  const at = priorities.indexOf(priority);
  let nearest: Priority | undefined;
  for (const level of priorities) {
    if (!enabled.includes(level)) continue;
    const nearer = (one: Priority): number => Math.abs(priorities.indexOf(one) - at);
    if (nearest === undefined || nearer(level) < nearer(nearest)) nearest = level;
  }
  return nearest ?? 'normal';
}

/** Strict priority would starve the lowest: every so many receives begin there. */
const lowestEach = 16;

/** The order in which levels are looked at. Receives that bring something are counted, others do not matter. */
export class PriorityRotation {
  #receiveCount = 0;

  received(): void {
    this.#receiveCount++;
  }

  /** Which of several queues is looked at first goes round. */
  get turn(): number {
    return this.#receiveCount;
  }

  get levels(): readonly Priority[] {
    return this.#receiveCount % lowestEach === lowestEach - 1 ? priorities.toReversed() : priorities;
  }
}
