import type { Network } from './network.ts';
import { tenant } from './submitter.ts';
import { SimWorker } from './worker.ts';
import { faultsEndMs } from './world.ts';

const workers = 6;

/** Workers that die and are replaced. */
export async function staff(network: Network): Promise<void> {
  const { world } = network;
  const team = Array.from({ length: workers }, (_, i) => new SimWorker(network, `worker-${i}`));
  for (const worker of team) world.begin(worker.run());
  for (let hired = workers; world.elapsedMs < faultsEndMs; hired++) {
    await world.clock.sleep(world.between(4_000, 20_000));
    if (!world.strikes('worker death', 1)) return;
    const at = world.between(0, workers - 1);
    team[at]?.die();
    const next = new SimWorker(network, `worker-${hired}`);
    team[at] = next;
    world.begin(next.run());
  }
}

/** Nodes that die at any moment, and clocks that jump. */
export async function misfortune(network: Network): Promise<void> {
  const { world } = network;
  while (world.faulty) {
    await world.clock.sleep(world.between(2_000, 15_000));
    if (world.strikes('clock jump', 0.5)) world.pick(network.nodes)?.jump();
    if (world.strikes('crash', 0.3)) world.pick(network.nodes)?.crash();
  }
}

/** Somebody who cancels tasks and redrives dead ones while all of this goes on. */
export async function operator(network: Network): Promise<void> {
  const { world } = network;
  while (world.faulty) {
    await world.clock.sleep(world.between(1_000, 5_000));
    const seen = world.pick([...world.shadow.tasks.values()]);
    if (seen === undefined) continue;
    const redrives = seen.folded.state === 'dead';
    if (!redrives && !world.chance(0.3)) continue;
    const by = { actor: 'operator', message: '' };
    await network
      .call((service) =>
        redrives ? service.redrive(tenant, seen.id, 'operator') : service.cancel(tenant, seen.id, by),
      )
      .catch(() => {});
  }
}
