import type { Head } from '../../../src/core/task/head.ts';

/** The fields of a task's head (its stored current state) that no event sets, or that are cleared without an event. */
const notFolded = new Set<keyof Head>([
  'revision',
  'leaseSecret',
  'leaseEndAtMs',
  'begun',
  'progress',
  'waitUntilMs',
  'handOver',
]);

/**
 * Returns the first field in which a task's stored state differs from the state computed from the task's events, or
 * undefined if all fields agree.
 */
export function differingField(folded: Head, head: Head): string | undefined {
  for (const field of Object.keys(folded) as (keyof Head)[]) {
    if (!notFolded.has(field) && folded[field] !== head[field]) return field;
  }
  // A redrive by a node whose clock is behind makes the task due by that clock, before the time of its event.
  if (head.waitUntilMs !== undefined && !(head.waitUntilMs <= (folded.waitUntilMs ?? 0)))
    return 'waitUntilMs';
  if (head.handOver && !folded.handOver) return 'handOver';
  return undefined;
}
