import { fold } from '../../../src/core/task/evolve.ts';
import { isEnded } from '../../../src/core/task/head.ts';
import type { World } from '../world.ts';
import { differingField } from './fold-equals-head.ts';
import type { Seen } from './seen.ts';
import { broken, type Rules } from './violation.ts';

/** Tasks that are not over, the acknowledged ones first said to be so. */
export function unfinished(world: World): string[] {
  const waits: string[] = [];
  for (const { id, folded, head, acknowledged, lane } of world.shadow.tasks.values()) {
    if (isEnded(folded) && !head.handOver) continue;
    waits.push(`${acknowledged ? 'acknowledged ' : ''}${id} ${folded.state} ${lane ?? ''}`);
  }
  return waits;
}

/** What must hold once nothing moves any more: the store says of every task what its commits said. */
export async function judgeRest(world: World): Promise<void> {
  const rules: Rules = world.rules;
  for (const seen of world.shadow.tasks.values()) await judgeTask(world, rules, seen);
}

async function judgeTask({ engine, clock }: World, rules: Rules, seen: Seen): Promise<void> {
  const { id, folded, winners, acknowledged } = seen;
  const { store } = engine;
  const [stored] = await store.read([id], clock.now());
  if (stored === undefined) {
    broken(rules, 'acknowledgedIsStored', `${id} is gone`);
    return;
  }
  const history = fold(await store.history(id, 0));
  const field = differingField(history, stored.head) ?? differingField(folded, stored.head);
  if (field !== undefined) broken(rules, 'foldEqualsHead', `${field} of ${id}, at rest`);
  const wins = stored.head.state === 'succeeded' ? 1 : 0;
  if (winners.length !== wins && acknowledged)
    broken(rules, 'endsExactlyOnce', `${id} is ${stored.head.state} and was done ${winners.length} times`);
  const { scope, orderingKey } = stored.submission;
  if (orderingKey === undefined || folded.holdsLane) return;
  const lowest = await store.lowest({ tenant: scope.tenant, queue: scope.queue, orderingKey });
  if (lowest?.id === id) broken(rules, 'nothingWaitsForEver', `${id} has ended and still leads its lane`);
}
