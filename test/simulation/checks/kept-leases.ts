import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { Head } from '../../../src/core/task/head.ts';
import type { ObservedWorld } from './observed-world.ts';
import type { ShadowTask } from './shadow-task.ts';
import { reportViolation } from './violation.ts';

/**
 * Checks an expired lease in an orderly cluster: it is not the lease of a worker of the SDK that lives and can be
 * reached, however often servers are stopped, started or stand still.
 */
export function checkLeaseKept(world: ObservedWorld, task: ShadowTask, before: Head, event: TaskEvent): void {
  if (event.kind !== 'leaseExpired' || !world.features.isOrderly) return;
  const received = world.assigned.get(task.id, event.fencingToken);
  if (received === undefined || received.process.dead) return;
  // The worker of a task that must stop does not renew the lease.
  if (before.cancelRequested || received.recalledFor !== undefined) return;
  if (received.process.clock.monotonic() >= received.deadlineAtMs) return;
  reportViolation(
    world.rules,
    'reachableWorkersKeepTheirLeases',
    `${task.id} of ${received.process.name}, which lives`,
  );
}
