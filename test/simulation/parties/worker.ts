import type { Client } from '../../../src/client/client.ts';
import { defineWorker, handle } from '../../../src/client/contract/handler.ts';
import type { RunningWorker } from '../../../src/client/worker/running.ts';
import { timing } from '../../../src/core/limits.ts';
import type { WorkerSlots } from '../checks/observed-process.ts';
import { reportViolation } from '../checks/violation.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import type { World } from '../world.ts';
import { attempt } from './attempt.ts';
import { jobOf, jobTypes, queues, slowAtOnce } from './job.ts';
import { clientOf, processOf } from './parties.ts';

const mostSlots = 3;

/** The handlers of a worker of the SDK, which runs in a simulated process. */
export class SdkWorker implements WorkerSlots {
  readonly process: SimProcess;
  readonly concurrency: number;
  isStopping = false;
  readonly #world: World;
  #running: RunningWorker | undefined;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.process = process;
    this.concurrency = world.features.hasBursts ? world.between(1, mostSlots) : mostSlots;
    world.workers.add(this);
    process.onDeath(() => world.workers.delete(this));
  }

  /** Starts the worker. Resolves when it has stopped. */
  async run(client: Client): Promise<void> {
    const world = this.#world;
    const handlers = jobTypes.map((type) =>
      handle(
        jobOf({ type, maxAttempts: 3, timeoutMs: undefined }),
        (input, context) => attempt(world, this.process, input, context),
        { concurrency: this.limitOf(type) },
      ),
    );
    this.#running = await client.work(defineWorker({ handlers, queues, concurrency: this.concurrency }));
    await this.#running.done;
  }

  readonly limitOf = (type: string): number =>
    type === 'slow' && this.#world.features.limitsTypes ? slowAtOnce : this.concurrency;

  /**
   * Drains the worker, mostly within the default time, then does the last things and ends its process. The system closes the
   * sockets of a process that ends by itself, so that its servers notice the end at once.
   */
  async stop(last: () => Promise<void> | undefined = async () => {}): Promise<void> {
    this.isStopping = true;
    const { clock } = this.process;
    const timeout = this.#world.chance(0.5) ? timing.drainMs : this.#world.between(0, timing.drainMs);
    const beganMs = clock.monotonic();
    await this.#running?.drain({ timeout });
    const tookMs = clock.monotonic() - beganMs;
    // A drain may go on after a stall, which is no time of the process.
    if (tookMs > timeout + timing.drainEndMs && this.#world.features.isOrderly)
      reportViolation(this.#world.rules, 'workersStopInTime', `${this.process.name} after ${tookMs} ms`);
    await last();
    this.process.exit();
  }
}

/** A simulated worker that uses the SDK over streams, as a user would write it. */
export class SimWorker {
  readonly process: SimProcess;
  readonly #worker: SdkWorker;

  constructor(network: Network, name: string) {
    this.process = processOf(network, name);
    this.#worker = new SdkWorker(network.world, this.process);
    // An error of the worker itself, such as a rejection by the nodes, is a defect and ends the simulated cluster.
    network.world.runInBackground(this.#worker.run(clientOf(network, this.process)));
  }

  stop(): Promise<void> {
    return this.#worker.stop();
  }
}
