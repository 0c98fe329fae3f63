import type { PlannedSubmission } from '../parties/job.ts';
import { Poller } from '../parties/poller.ts';
import { Submitter } from '../parties/submitter.ts';
import { SimWorker } from '../parties/worker.ts';
import { faultsEndMs, type World } from '../world.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './process.ts';

const workers = 6;
const pollers = 2;
const submitters = 3;

interface WorkerProcess {
  readonly process: SimProcess;
  stop(): Promise<void>;
}

/** Runs the workers of a simulated cluster. Some die, stop gracefully or stall; a worker that is gone is replaced. */
export async function runWorkers(network: Network): Promise<void> {
  const { world } = network;
  let started = 0;
  const startWorker = (at: number): WorkerProcess => {
    const name = `worker-${started++}`;
    return at < workers ? new SimWorker(network, name) : new Poller(network, name);
  };
  const running = Array.from({ length: workers + pollers }, (_, at) => startWorker(at));
  while (world.elapsedMs < faultsEndMs) {
    await world.clock.sleep(world.between(1_000, 6_000));
    const at = world.between(0, running.length - 1);
    const worker = running[at];
    if (worker === undefined || !world.hasFaults) continue;
    if (world.injectFault('worker stalled', 0.3)) worker.process.stall(stallMs(world));
    else if (world.injectFault('worker death', 0.3)) {
      worker.process.kill();
      running[at] = startWorker(at);
    } else if (world.chooseEvent('worker stopped', 0.15)) {
      world.runInBackground(worker.stop());
      running[at] = startWorker(at);
    }
  }
}

/** Returns how long, in ms, a worker stalls: mostly until about the end of the leases that it holds. */
function stallMs(world: World): number {
  return world.chance(0.8) ? world.between(20_000, 35_000) : world.between(1_000, 70_000);
}

/**
 * Runs the client programs that submit tasks. When a program dies, a new one takes over most of its unacknowledged
 * submissions; the other submissions are dropped.
 */
export async function runSubmitters(
  network: Network,
  submissions: readonly PlannedSubmission[],
): Promise<void> {
  const { world } = network;
  const programs = Array.from({ length: submitters }, (_, at) => {
    const submitter = new Submitter(network, `submitter-${at}`);
    const own = submissions.filter((planned) => planned.n % submitters === at);
    submitter.submitAll(own);
    return { submitter, own };
  });
  for (let started = submitters; world.hasFaults; started++) {
    await world.clock.sleep(world.between(4_000, 20_000));
    const program = world.pick(programs);
    if (program === undefined || !world.injectFault('submitter death', 0.6)) continue;
    program.submitter.process.kill();
    program.own = program.submitter.unacknowledged(program.own).filter(() => !world.chance(0.05));
    program.submitter = new Submitter(network, `submitter-${started}`);
    program.submitter.submitAll(program.own);
  }
}

/** Kills and stops simulated nodes at random times, and lets their clocks jump. */
export async function disturbNodes(network: Network): Promise<void> {
  const { world } = network;
  while (world.hasFaults) {
    await world.clock.sleep(world.between(2_000, 15_000));
    if (world.injectFault('clock jump', 0.5)) world.pick(network.nodes)?.jump();
    if (world.injectFault('crash', 0.3)) world.pick(network.nodes)?.crash();
    else if (world.chooseEvent('node stopped', 0.15)) world.pick(network.nodes)?.stop();
  }
}
