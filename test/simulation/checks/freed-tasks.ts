import type { World } from '../world.ts';
import type { ObservedProcess } from './observed-process.ts';
import { reportViolation } from './violation.ts';

/** The time in ms in which a server releases the tasks of a worker whose process has ended: 2 s, and the write. */
const freedWithinMs = 4_000;

/**
 * Checks a worker whose process has just ended: the tasks that it had fetched and not begun are free again soon, long
 * before their leases end. A server that was stopped meanwhile leaves them to their leases.
 */
export function watchFreedTasks(world: World, { name }: ObservedProcess): void {
  const { features, shadow, ledger, rules, assigned } = world;
  if (!features.isOrderly || features.hasServerGaps) return;
  const endedAtMs = world.elapsedMs;
  const reserved = [...shadow.tasks.values()].filter(({ id, folded, claims }) => {
    const { state, worker, fencingToken } = folded;
    if (state !== 'running' || !worker.startsWith(`${name}/`)) return false;
    // The worker may have said that it begins, and wait for the record of that. The node of a polling worker, which has a
    // task that must run alone reserved, has ended with it.
    const received = assigned.get(id, fencingToken);
    if (received?.isReported === true || received?.node === name) return false;
    if (claims.get(fencingToken)?.begins === true) return false;
    return ledger.get(id, fencingToken) === undefined;
  });
  for (const task of reserved) {
    const { fencingToken } = task.folded;
    world.clock.after(freedWithinMs, () => {
      const { state, fencingToken: current } = task.folded;
      if (state !== 'running' || current !== fencingToken || world.lastStopMs > endedAtMs - freedWithinMs)
        return;
      world.check(() =>
        reportViolation(rules, 'cutWorkersFreeTheirTasks', `${task.id}, which ${name} had not begun`),
      );
    });
  }
}
