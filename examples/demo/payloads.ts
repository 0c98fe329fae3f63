/** The real GitHub webhook payloads that the npm package `@octokit/webhooks-examples` ships. */
import examples from '@octokit/webhooks-examples/api.github.com/index.json' with { type: 'json' };
import type { Delivery } from './contract.ts';

const laneEvery = 8;
const lanes = 5;

/** Some share an ordering key, as the events of one repository would. */
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
