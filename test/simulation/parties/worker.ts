import type { Client } from '../../../src/client/client.ts';
import { defineWorker, handle } from '../../../src/client/contract/handler.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import { attempt } from './attempt.ts';
import { jobOf, queues } from './job.ts';
import { clientOf, processOf } from './parties.ts';

const job = jobOf({ maxAttempts: 3, timeoutMs: undefined });
const slots = 3;

/** A simulated worker that uses the SDK, as a user would write it. */
export class SimWorker {
  readonly process: SimProcess;
  readonly #client: Client;

  constructor(network: Network, name: string) {
    const { world } = network;
    this.process = processOf(network, name);
    this.#client = clientOf(network, this.process);
    const handler = handle(job, (input, context) => attempt(world, this.process, input, context));
    const spec = defineWorker({ handlers: [handler], queues, concurrency: slots });
    // An error of the worker itself, such as a rejection by the nodes, is a defect and ends the simulated cluster.
    world.runInBackground(this.#client.work(spec).then((running) => running.done));
  }

  /** Drains the worker, then ends its process. */
  async stop(): Promise<void> {
    await this.#client.close();
    this.process.kill();
  }
}
