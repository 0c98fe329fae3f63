import { fold } from '../../../src/core/task/evolve.ts';
import { isEnded } from '../../../src/core/task/head.ts';
import type { World } from '../world.ts';
import { differingField } from './fold-equals-head.ts';
import type { ShadowTask } from './shadow-task.ts';
import { type Rules, reportViolation } from './violation.ts';

/**
 * Returns a description of each task of a simulated cluster that has not ended. The description begins with
 * `acknowledged` if the task's submission was acknowledged.
 */
export function unfinished(world: World): string[] {
  const waits: string[] = [];
  for (const { id, folded, head, acknowledged, lane } of world.shadow.tasks.values()) {
    if (isEnded(folded) && !head.handOver) continue;
    waits.push(`${acknowledged ? 'acknowledged ' : ''}${id} ${folded.state} ${lane ?? ''}`);
  }
  return waits;
}

/**
 * Checks the invariants of a simulated cluster in which all tasks have ended: the stored state of each task must be the
 * result of its commits.
 */
export async function checkAtRest(world: World): Promise<void> {
  const rules: Rules = world.rules;
  for (const task of world.shadow.tasks.values()) await checkTask(world, rules, task);
}

async function checkTask({ engine, clock }: World, rules: Rules, task: ShadowTask): Promise<void> {
  const { id, folded, winners, acknowledged } = task;
  const { store } = engine;
  const [stored] = await store.read([id], clock.now());
  if (stored === undefined) {
    reportViolation(rules, 'acknowledgedIsStored', `${id} is gone`);
    return;
  }
  const history = fold(await store.history(id, 0));
  const field = differingField(history, stored.head) ?? differingField(folded, stored.head);
  if (field !== undefined) reportViolation(rules, 'foldEqualsHead', `${field} of ${id}, at rest`);
  const wins = stored.head.state === 'succeeded' ? 1 : 0;
  if (winners.length !== wins && acknowledged)
    reportViolation(
      rules,
      'endsExactlyOnce',
      `${id} is ${stored.head.state} and was done ${winners.length} times`,
    );
  const { scope, orderingKey } = stored.submission;
  if (orderingKey === undefined || folded.holdsLane) return;
  const lowest = await store.lowest({ tenant: scope.tenant, queue: scope.queue, orderingKey });
  if (lowest?.id === id)
    reportViolation(rules, 'nothingWaitsForEver', `${id} has ended and still leads its lane`);
}
