import { isEnded } from '../../src/core/head.ts';
import { misfortune, operator, staff } from './disorder.ts';
import { Network } from './network.ts';
import { SimNode } from './node.ts';
import { submitUntilAcknowledged, wishes } from './submitter.ts';
import { Violation } from './violation.ts';
import { faultsEndMs, World } from './world.ts';

export interface SeedRun {
  readonly seed: number;
  readonly steps: number;
  readonly commits: number;
  readonly hash: string;
  readonly faults: ReadonlyMap<string, number>;
  readonly elapsedMs: number;
  readonly failure: unknown;
}

const nodes = 3;
/** What was acknowledged must end without the reconciler, whose first look is at the age of ten minutes. */
const acknowledgedEndByMs = 595_000;
/** Everything else by then. */
const endByMs = 7_200_000;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function unfinished(world: World): string[] {
  const waits: string[] = [];
  for (const { id, folded, head, acknowledged, lane } of world.shadow.tasks.values()) {
    if (isEnded(folded) && !head.handOver) continue;
    waits.push(`${acknowledged ? 'acknowledged ' : ''}${id} ${folded.state} ${lane ?? ''}`);
  }
  return waits;
}

function isOver(world: World): boolean {
  if (world.failure !== undefined) return true;
  if (world.elapsedMs < faultsEndMs + 40_000) return false;
  const waits = unfinished(world);
  if (waits.length === 0) return true;
  const overdue =
    world.elapsedMs > acknowledgedEndByMs ? waits.find((one) => one.startsWith('ack')) : undefined;
  if (overdue !== undefined) world.fail(new Violation('acknowledgedEnds', `${overdue} waits for ever`));
  else if (world.elapsedMs > endByMs) world.fail(new Violation('nothingWaitsForEver', waits.join('; ')));
  return world.failure !== undefined;
}

async function play(world: World): Promise<void> {
  let lookAtMs = 0;
  for (;;) {
    await turn();
    if (world.failure !== undefined) return;
    if (world.elapsedMs >= lookAtMs) {
      if (isOver(world)) return;
      lookAtMs = world.elapsedMs + 500;
    }
    if (!world.clock.step()) return world.fail(new Error('the world stood still'));
  }
}

/** One world from its beginning to its rest, decided by nothing but its seed. */
export async function runSeed(seed: number): Promise<SeedRun> {
  const world = new World(seed);
  const network = new Network(
    world,
    Array.from({ length: nodes }, (_, i) => new SimNode(world, `node-${i}`)),
  );
  for (const node of network.nodes) node.begin();
  for (const wish of wishes(network)) world.begin(submitUntilAcknowledged(network, wish));
  for (const actor of [staff, misfortune, operator]) world.begin(actor(network));
  await play(world);
  const { tally, shadow, elapsedMs, failure } = world;
  const { steps, faults } = tally;
  return { seed, steps, commits: shadow.commits, hash: tally.hash, faults, elapsedMs, failure };
}
