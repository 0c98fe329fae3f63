import { type Counts, shortfall } from './checks/census.ts';
import { judgeRest, unfinished } from './checks/quiescence.ts';
import { Violation } from './checks/violation.ts';
import { authors, misfortune, staff } from './network/disorder.ts';
import { Network } from './network/network.ts';
import { SimNode } from './network/node.ts';
import { wishes } from './parties/job.ts';
import { operator } from './parties/operator.ts';
import { faultsEndMs, World } from './world.ts';

export interface SeedRun {
  readonly seed: number;
  /** Calls of ports. */
  readonly steps: number;
  readonly commits: number;
  readonly hash: string;
  readonly faults: ReadonlyMap<string, number>;
  readonly events: ReadonlyMap<string, number>;
  readonly counts: Counts;
  readonly elapsedMs: number;
  /** A Violation, or whatever else was thrown; a seed that was too tame fails too. */
  readonly failure: unknown;
}

const nodes = 3;
/** What was acknowledged must end without the reconciler, whose first look is at the age of ten minutes. */
const acknowledgedEndByMs = 595_000;
/** Everything else by then. */
const endByMs = 7_200_000;
/** Whoever waits for a result is told so long after the last end. */
const toldWithinMs = 120_000;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Looks at a world from time to time: whether it came to rest, and what should have by now. */
class Watch {
  readonly #world: World;
  #restedAtMs: number | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  get isOver(): boolean {
    const world = this.#world;
    if (world.elapsedMs < faultsEndMs + 40_000) return false;
    const waits = unfinished(world);
    if (waits.length === 0) return this.#isTold();
    this.#restedAtMs = undefined;
    const overdue =
      world.elapsedMs > acknowledgedEndByMs ? waits.find((one) => one.startsWith('ack')) : undefined;
    if (overdue !== undefined) throw new Violation('acknowledgedEnds', `${overdue} waits for ever`);
    if (world.elapsedMs > endByMs) throw new Violation('nothingWaitsForEver', waits.join('; '));
    return false;
  }

  #isTold(): boolean {
    const { waits, elapsedMs } = this.#world;
    const waiting = waits.some;
    if (waiting === undefined) return true;
    this.#restedAtMs ??= elapsedMs;
    if (elapsedMs > this.#restedAtMs + toldWithinMs)
      throw new Violation('whoWaitsIsTold', `nobody tells the result of ${waiting}`);
    return false;
  }
}

async function play(world: World): Promise<void> {
  const watch = new Watch(world);
  let lookAtMs = 0;
  for (;;) {
    await turn();
    if (world.failure !== undefined) return;
    if (world.elapsedMs >= lookAtMs) {
      if (watch.isOver) break;
      lookAtMs = world.elapsedMs + 500;
    }
    if (!world.clock.step()) throw new Error('the world stood still');
  }
  await judgeRest(world);
  const short = shortfall(world.census.counts(world.tally.faults.keys()));
  if (short !== undefined) throw new Error(short);
}

/** One world from its beginning to its rest, decided by nothing but its seed. */
export async function runSeed(seed: number, blindTo: readonly string[] = []): Promise<SeedRun> {
  const world = new World({ seed, blindTo });
  const network = new Network(
    world,
    Array.from({ length: nodes }, (_, i) => new SimNode(world, `node-${i}`)),
  );
  for (const node of network.nodes) node.begin();
  for (const act of [authors(network, wishes(world)), staff(network), misfortune(network), operator(network)])
    world.begin(act);
  await play(world).catch((thrown: unknown) => world.fail(thrown));
  const { tally, shadow, census, elapsedMs, failure } = world;
  const { steps, faults, events, hash } = tally;
  const counts = census.counts(faults.keys());
  return { seed, steps, commits: shadow.commits, hash, faults, events, counts, elapsedMs, failure };
}
