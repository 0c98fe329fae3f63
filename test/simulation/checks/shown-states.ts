import { HoldfastError } from '../../../src/core/errors.ts';
import { timing } from '../../../src/core/limits.ts';
import { type Head, shownState } from '../../../src/core/task/head.ts';
import type { Network } from '../network/network.ts';
import type { ServingNode } from '../network/node-life.ts';
import type { World } from '../world.ts';
import type { ShadowTask } from './shadow-task.ts';
import { reportViolation } from './violation.ts';

/** How many running tasks are read at each look at a server. */
const looks = 3;
/** The time in ms after a heartbeat is due at which it is stored, even if a server was stopped meanwhile. */
const storedWithinMs = 8_000;

/** Reads running tasks from servers now and then, and compares the states that they show with the handlers' ledger. */
export async function watchShownStates(network: Network): Promise<void> {
  const { world } = network;
  for (;;) {
    await world.clock.sleep(world.between(1_000, 3_000));
    const serving = network.pickServing();
    if (serving === undefined || serving.life.isBehind) continue;
    const running = [...world.shadow.tasks.values()].filter(({ folded }) => folded.state === 'running');
    for (let i = 0; i < looks; i++) {
      const task = world.pick(running);
      if (task !== undefined) world.runInBackground(look(world, serving, task));
    }
  }
}

async function look(world: World, { service, life }: ServingNode, task: ShadowTask): Promise<void> {
  const sinceMs = world.elapsedMs;
  const view = await service
    .get(task.submission.scope.tenant, task.id, false)
    .catch((thrown: unknown) => rethrowUnlessRefused(thrown));
  if (view === undefined || life.dead) return;
  const { head } = view.snapshot;
  const shown = shownState(head);
  const where = `${task.id} (${head.fencingToken}) by ${life.name}`;
  if (shown === 'running' && !mayRun(world, task, head))
    reportViolation(world.rules, 'runningIsShownOfBegunTasks', where);
  if (shown === 'reserved' && isSurelyStored(world, task, head, sinceMs))
    reportViolation(world.rules, 'reservedIsNotShownTooLong', where);
}

/**
 * Returns true if the handler was called, or if the worker has reported that it begins and waits only for the record of
 * that. A worker that begins at once begins what it claims.
 */
function mayRun(world: World, task: ShadowTask, { fencingToken }: Head): boolean {
  if (task.claims.get(fencingToken)?.begins === true) return true;
  if (world.ledger.get(task.id, fencingToken) !== undefined) return true;
  return world.assigned.get(task.id, fencingToken)?.isReported === true;
}

/** Returns true if a heartbeat of the attempt must have been stored before `sinceMs`. */
function isSurelyStored(world: World, task: ShadowTask, head: Head, sinceMs: number): boolean {
  const begun = world.ledger.get(task.id, head.fencingToken);
  const received = world.assigned.get(task.id, head.fencingToken);
  if (begun === undefined || received === undefined || begun.endedAtMs !== undefined) return false;
  // The lease of an attempt that must stop is not renewed any more.
  if (head.cancelRequested || received.recalledFor !== undefined || begun.process.dead) return false;
  if (begun.process.clock.monotonic() >= received.deadlineAtMs) return false;
  const storedAtMs = begun.begunAtMs + timing.heartbeatMs + storedWithinMs;
  return begun.begunAtMs > world.quietFromMs && storedAtMs < sinceMs;
}

function rethrowUnlessRefused(thrown: unknown): undefined {
  if (!(thrown instanceof HoldfastError)) throw thrown;
  return undefined;
}
