import type { PlannedSubmission } from '../parties/job.ts';
import { Poller } from '../parties/poller.ts';
import { PollingWorker } from '../parties/polling-worker.ts';
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

/**
 * Runs the workers of a simulated cluster. Some die, stop gracefully or stall; a worker that is gone is replaced, at once
 * or, like a process that a supervisor starts again, some time after its death.
 */
export async function runWorkers(network: Network): Promise<void> {
  const { world } = network;
  let started = 0;
  const running: WorkerProcess[] = [];
  const startWorker = (at: number): void => {
    const name = `worker-${started++}`;
    const worker = workerAt(network, at, name);
    running[at] = worker;
    worker.process.onDeath(() => {
      if (running[at] !== worker) return;
      world.clock.after(world.between(200, 3_000), () => {
        if (running[at] === worker) startWorker(at);
      });
    });
  };
  for (let at = 0; at < workers + pollers; at++) startWorker(at);
  while (world.elapsedMs < faultsEndMs) {
    await world.clock.sleep(world.between(1_000, 6_000));
    const at = world.between(0, running.length - 1);
    const worker = running[at];
    if (worker === undefined || !world.hasFaults) continue;
    if (world.injectFault('worker stalled', 0.3)) worker.process.stall(stallMs(world));
    else if (world.injectFault('worker death', 0.3)) worker.process.kill();
    else if (world.chooseEvent('worker stopped', 0.15)) {
      world.runInBackground(worker.stop());
      startWorker(at);
    }
  }
}

function workerAt(network: Network, at: number, name: string): WorkerProcess {
  const { pollingWorkers } = network.world.features;
  if (at < pollingWorkers) return new PollingWorker(network, name);
  return at < workers ? new SimWorker(network, name) : new Poller(network, name);
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

/** Kills and stops simulated nodes at random times, makes them stand still, and lets their clocks jump. */
export async function disturbNodes(network: Network): Promise<void> {
  const { world } = network;
  const { isOrderly, hasServerGaps } = world.features;
  while (world.hasFaults) {
    await world.clock.sleep(world.between(2_000, 15_000));
    if (world.injectFault('clock jump', 0.5)) world.pick(network.nodes)?.jump();
    if (world.injectFault('crash', 0.3)) world.pick(network.nodes)?.crash();
    else if (world.chooseEvent('node stopped', isOrderly ? 0.5 : 0.15)) world.pick(network.nodes)?.stop();
    else if (hasServerGaps && world.chooseEvent('server gap', 0.2)) gap(network);
  }
}

/** Makes one server stand still, or all of them if the cluster is orderly: then no other server may take their tasks. */
function gap({ world, nodes }: Network): void {
  const { isOrderly } = world.features;
  // A server that starts during the gap would rightly take the leases that the others cannot renew.
  if (isOrderly && nodes.some(({ serving }) => serving === undefined)) return;
  const ms = world.between(5_000, 60_000);
  const one = world.pick(nodes);
  for (const node of nodes) if (isOrderly || node === one) node.freeze(ms);
}
