import { type Counts, shortfall } from './checks/census.ts';
import { FreeSlotsWatch } from './checks/free-slots.ts';
import { checkAtRest, unfinished } from './checks/quiescence.ts';
import { watchShownStates } from './checks/shown-states.ts';
import { VerdictsWatch } from './checks/verdicts.ts';
import { Violation } from './checks/violation.ts';
import { disturbNodes, runSubmitters, runWorkers } from './network/disturbances.ts';
import { Network } from './network/network.ts';
import { SimNode } from './network/node.ts';
import { planSubmissions } from './parties/job.ts';
import { operator } from './parties/operator.ts';
import { faultsEndMs, World } from './world.ts';

export interface SeedRun {
  readonly seed: number;
  /** The number of calls of all nodes to the store, the broker and the registry. */
  readonly steps: number;
  readonly commits: number;
  readonly hash: string;
  readonly faults: ReadonlyMap<string, number>;
  readonly events: ReadonlyMap<string, number>;
  readonly counts: Counts;
  readonly elapsedMs: number;
  /**
   * The error that ended the run: the violation of an invariant or another error. Also set if the simulated cluster had
   * too few nodes, workers, tasks or faults. Undefined if the run succeeded.
   */
  readonly failure: unknown;
}

const nodes = 3;
/**
 * A task whose submission was acknowledged must end before this time, in ms from the start of the simulated cluster. So
 * the task must end without the reconciler, which first examines tasks after ten minutes.
 */
const acknowledgedEndByMs = 595_000;
/**
 * A task whose submission was not acknowledged must end before this time, in ms from the start of the simulated
 * cluster.
 */
const endByMs = 7_200_000;
/** Every client that waits for a task's result must have the result at most so many ms after the last task has ended. */
const resultWithinMs = 120_000;

function nextMacrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Checks from time to time whether a simulated cluster is at rest (all tasks have ended, and no client waits for a
 * result), and whether each task ended in time.
 */
class QuiescenceWatch {
  readonly #world: World;
  #atRestSinceMs: number | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  get isOver(): boolean {
    const world = this.#world;
    if (world.elapsedMs < faultsEndMs + 40_000) return false;
    const waits = unfinished(world);
    if (waits.length === 0) return this.#allResultsArrived();
    this.#atRestSinceMs = undefined;
    const overdue =
      world.elapsedMs > acknowledgedEndByMs ? waits.find((one) => one.startsWith('ack')) : undefined;
    if (overdue !== undefined) throw new Violation('acknowledgedEnds', `${overdue} waits for ever`);
    if (world.elapsedMs > endByMs) throw new Violation('nothingWaitsForEver', waits.join('; '));
    return false;
  }

  #allResultsArrived(): boolean {
    const { waits, elapsedMs } = this.#world;
    const waiting = waits.firstOpen;
    if (waiting === undefined) return true;
    this.#atRestSinceMs ??= elapsedMs;
    if (elapsedMs > this.#atRestSinceMs + resultWithinMs)
      throw new Violation('waiterGetsTheResult', `the result of ${waiting} never arrives`);
    return false;
  }
}

async function runUntilAtRest(network: Network): Promise<void> {
  const { world } = network;
  const watch = new QuiescenceWatch(world);
  const freeSlots = new FreeSlotsWatch(network);
  const verdicts = new VerdictsWatch(world);
  let nextCheckAtMs = 0;
  for (;;) {
    await nextMacrotask();
    if (world.failure !== undefined) return;
    if (world.elapsedMs >= nextCheckAtMs) {
      if (watch.isOver) break;
      freeSlots.check();
      await verdicts.check();
      nextCheckAtMs = world.elapsedMs + 500;
    }
    if (!world.clock.step()) throw new Error('no timer is left, but the world is not at rest');
  }
  await checkAtRest(world);
  const missing = shortfall(world.census.counts(world.tally.faults.keys()), world.features.isOrderly);
  if (missing !== undefined) throw new Error(missing);
}

/**
 * Runs one simulated cluster until all its tasks have ended. The seed alone determines everything that happens in the
 * cluster.
 */
export async function runSeed(seed: number, ignoredInvariants: readonly string[] = []): Promise<SeedRun> {
  const world = new World({ seed, ignoredInvariants });
  const network = new Network(
    world,
    Array.from({ length: nodes }, (_, i) => new SimNode(world, `node-${i}`)),
  );
  for (const node of network.nodes) node.begin();
  for (const party of [
    runSubmitters(network, planSubmissions(world)),
    runWorkers(network),
    disturbNodes(network),
    operator(network),
    watchShownStates(network),
  ])
    world.runInBackground(party);
  await runUntilAtRest(network).catch((thrown: unknown) => world.fail(thrown));
  const { tally, shadow, census, elapsedMs, failure } = world;
  const { steps, faults, events, hash } = tally;
  const counts = census.counts(faults.keys());
  return { seed, steps, commits: shadow.commits, hash, faults, events, counts, elapsedMs, failure };
}
