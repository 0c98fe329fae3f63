import type { Wish } from '../parties/job.ts';
import { Poller } from '../parties/poller.ts';
import { Submitter } from '../parties/submitter.ts';
import { SimWorker } from '../parties/worker.ts';
import { faultsEndMs, type World } from '../world.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './process.ts';

const workers = 6;
const pollers = 2;
const submitters = 3;

interface Hand {
  readonly process: SimProcess;
  stop(): Promise<void>;
}

/** Workers that die, stop in order or are held up, and are replaced. */
export async function staff(network: Network): Promise<void> {
  const { world } = network;
  let hired = 0;
  const hire = (at: number): Hand => {
    const name = `worker-${hired++}`;
    return at < workers ? new SimWorker(network, name) : new Poller(network, name);
  };
  const team = Array.from({ length: workers + pollers }, (_, at) => hire(at));
  while (world.elapsedMs < faultsEndMs) {
    await world.clock.sleep(world.between(1_000, 6_000));
    const at = world.between(0, team.length - 1);
    const hand = team[at];
    if (hand === undefined || !world.faulty) continue;
    if (world.strikes('worker held up', 0.3)) hand.process.holdUp(heldUpMs(world));
    else if (world.strikes('worker death', 0.3)) {
      hand.process.kill();
      team[at] = hire(at);
    } else if (world.happens('worker stopped', 0.15)) {
      world.begin(hand.stop());
      team[at] = hire(at);
    }
  }
}

/** Mostly until about the end of the leases that it held. */
function heldUpMs(world: World): number {
  return world.chance(0.8) ? world.between(20_000, 35_000) : world.between(1_000, 70_000);
}

/** Programs that submit; when one dies another goes on with what was not acknowledged, or nobody does. */
export async function authors(network: Network, wishes: readonly Wish[]): Promise<void> {
  const { world } = network;
  const desks = Array.from({ length: submitters }, (_, at) => {
    const submitter = new Submitter(network, `submitter-${at}`);
    const own = wishes.filter((wish) => wish.n % submitters === at);
    submitter.take(own);
    return { submitter, own };
  });
  for (let hired = submitters; world.faulty; hired++) {
    await world.clock.sleep(world.between(4_000, 20_000));
    const desk = world.pick(desks);
    if (desk === undefined || !world.strikes('submitter death', 0.6)) continue;
    desk.submitter.process.kill();
    desk.own = desk.submitter.left(desk.own).filter(() => !world.chance(0.05));
    desk.submitter = new Submitter(network, `submitter-${hired}`);
    desk.submitter.take(desk.own);
  }
}

/** Nodes that die at any moment or are stopped, and clocks that jump. */
export async function misfortune(network: Network): Promise<void> {
  const { world } = network;
  while (world.faulty) {
    await world.clock.sleep(world.between(2_000, 15_000));
    if (world.strikes('clock jump', 0.5)) world.pick(network.nodes)?.jump();
    if (world.strikes('crash', 0.3)) world.pick(network.nodes)?.crash();
    else if (world.happens('node stopped', 0.15)) world.pick(network.nodes)?.drain();
  }
}
