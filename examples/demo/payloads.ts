/** The webhooks of the demo: real GitHub payloads from the npm package `@octokit/webhooks-examples`. */
import examples from '@octokit/webhooks-examples/api.github.com/index.json' with { type: 'json' };
import type { Delivery } from './contract.ts';

const laneEvery = 8;
const lanes = 5;

/**
 * Returns all webhooks of the demo. Every eighth one has one of five ordering keys, like the events of one repository.
 */
export function payloads(): Delivery[] {
  const all = (examples as unknown as { name: string; examples: unknown[] }[]).flatMap(
    ({ name, examples: bodies }) => bodies.map((body) => ({ event: name, body })),
  );
  return all.map(({ event, body }, i) => ({
    delivery: `delivery-${String(i).padStart(4, '0')}`,
    event,
    lane: i % laneEvery === 0 ? `repository-${(i / laneEvery) % lanes}` : '',
    body,
  }));
}
