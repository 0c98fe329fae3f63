import { type Priority, priorities, priorityOrder } from '../../../core/priority.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';
import { defaultPriorities } from './sqs/definition.ts';

/** Returns the priorities for which a queue has an SQS queue. An empty list stands for the default priorities. */
export type PrioritiesOf = (queue: QueueRef) => readonly Priority[];

export function enabledPriorities(
  queue: QueueRef,
  prioritiesOf: PrioritiesOf | undefined,
): readonly Priority[] {
  const enabled = prioritiesOf?.(queue) ?? [];
  return enabled.length > 0 ? enabled : defaultPriorities;
}

/**
 * Returns the priority whose SQS queue takes messages of this priority: the priority itself if it is enabled, else the
 * nearest enabled one. Of two equally near priorities the higher one is taken, since a message received too early does
 * no harm.
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

/**
 * Decides in which order the SQS queues of all priorities are polled. The order changes with the number of receives
 * that returned messages.
 */
export class PriorityRotation {
  #receiveCount = 0;

  countReceive(): void {
    this.#receiveCount++;
  }

  get levels(): readonly Priority[] {
    return priorityOrder(this.#receiveCount);
  }
}
