import type { Head } from '../../../src/core/task/head.ts';

/** What is not an event, or is cleared without one. */
const beside = new Set<keyof Head>(['revision', 'leaseEndAtMs', 'progress', 'waitUntilMs', 'handOver']);

/** The first field in which a head is not the fold of its events, or undefined. */
export function differingField(folded: Head, head: Head): string | undefined {
  for (const field of Object.keys(folded) as (keyof Head)[]) {
    if (!beside.has(field) && folded[field] !== head[field]) return field;
  }
  if (head.waitUntilMs !== undefined && head.waitUntilMs !== folded.waitUntilMs) return 'waitUntilMs';
  if (head.handOver && !folded.handOver) return 'handOver';
  return undefined;
}
