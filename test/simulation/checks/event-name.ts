import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { Head } from '../../../src/core/task/head.ts';

/** An event as the summary counts it: with what makes it a path of its own. */
export function nameOf(before: Head, event: TaskEvent): string {
  if (event.kind === 'died') return `died (${event.reason}${event.holdsLane ? ', holding its lane' : ''})`;
  if (event.kind === 'cancelled' && before.state === 'dead') return 'cancelled (skipped)';
  if (event.kind === 'redriven' && before.holdsLane) return 'redriven (in its held lane)';
  if (event.kind === 'redriven' && event.actor.startsWith('whenDead')) return 'redriven (whenDead)';
  if (event.kind === 'claimReleased' && event.counted) return 'claimReleased (never heard of)';
  return event.kind;
}
