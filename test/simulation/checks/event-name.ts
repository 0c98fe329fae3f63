import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { Head } from '../../../src/core/task/head.ts';

/**
 * Returns the name under which the simulation counts a task event: the kind of the event, followed in parentheses by
 * circumstances that the simulation counts as a case of their own.
 */
export function nameOf(before: Head, event: TaskEvent): string {
  if (event.kind === 'died') return `died (${event.reason}${event.holdsLane ? ', holding its lane' : ''})`;
  if (event.kind === 'cancelled' && before.state === 'dead') return 'cancelled (skipped)';
  if (event.kind === 'redriven' && before.holdsLane) return 'redriven (in its held lane)';
  if (event.kind === 'redriven' && event.actor.startsWith('whenDead')) return 'redriven (whenDead)';
  if (event.kind === 'claimReleased' && event.countsAsRelease) return 'claimReleased (never acknowledged)';
  return event.kind;
}
