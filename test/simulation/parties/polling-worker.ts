import { createClient } from '../../../src/client/create-client.ts';
import { inProcess } from '../../../src/node/in-process.ts';
import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { Network } from '../network/network.ts';
import { NodeLife } from '../network/node-life.ts';
import { observed } from '../network/observed.ts';
import { portsOf } from '../network/ports.ts';
import type { SimProcess } from '../network/process.ts';
import type { World } from '../world.ts';
import { processOf } from './parties.ts';
import { SdkWorker } from './worker.ts';

/**
 * A simulated worker that polls the broker itself, as `holdfast worker` does on AWS: a node without listeners in the
 * process of the worker. It begins each task at once when it has claimed it.
 */
export class PollingWorker {
  readonly process: SimProcess;
  readonly #world: World;
  readonly #worker: SdkWorker;
  #node: HoldfastNode | undefined;

  constructor(network: Network, name: string) {
    this.#world = network.world;
    this.process = processOf(network, name);
    this.#worker = new SdkWorker(network.world, this.process);
    const engine = network.world.engine.connect(name);
    const life = new NodeLife(name, this.process, () => {
      this.process.kill();
      network.world.runInBackground(engine.close());
    });
    this.process.onDeath(() => life.crash());
    // The process ends if it cannot start, and is then started again.
    network.world.runInBackground(this.#start(life, portsOf(network.world, life, engine)));
  }

  async #start(life: NodeLife, engine: ReturnType<typeof portsOf>): Promise<void> {
    const { clock, name } = this.process;
    const node = await startNode({
      engine,
      clock,
      log: silentLog,
      node: name,
      duties: { takesPart: false },
      onQueueSettings: (settings) => this.#world.paused.follow(name, settings),
    }).catch(() => life.crash());
    if (life.dead || node === undefined) return;
    this.#node = node;
    const transport = observed(inProcess({ api: node.api, clock }), this.process, this.#world.assigned);
    await this.#worker.run(createClient(transport, { clock, workerName: name, beginsAtOnce: true }));
  }

  /** Drains the worker, then closes its node and ends its process. */
  async stop(): Promise<void> {
    await this.#worker.stop(() => this.#node?.close());
  }
}
