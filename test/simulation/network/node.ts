import { timing } from '../../../src/core/limits.ts';
import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { ProcessClock } from '../../../src/testing/virtual-clock.ts';
import { reportViolation } from '../checks/violation.ts';
import type { World } from '../world.ts';
import { NodeLife, type ServingNode } from './node-life.ts';
import { portsOf } from './ports.ts';

const furthestOffMs = 1_000;

/**
 * A simulated server process. It may die at any await, or stop gracefully, and is then started again on the same store
 * (each run is a `NodeLife`).
 */
export class SimNode {
  readonly name: string;
  readonly #world: World;
  #serving: ServingNode | undefined;
  #life: NodeLife | undefined;
  #clock: ProcessClock | undefined;
  #engine: Engine | undefined;
  #running: HoldfastNode | undefined;
  #offsetMs: number;
  #lives = 0;
  /** The sum of the times for which the process stood still, in ms. */
  #stillMs = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#offsetMs = world.between(-furthestOffMs, furthestOffMs);
  }

  /** The simulated node that serves calls, or undefined while its process is down or starting. */
  get serving(): ServingNode | undefined {
    return this.#serving;
  }

  /** Starts the node. If the store fails during the start, the node crashes and starts again. */
  begin(): void {
    const clock = this.#world.clock.process(this.#offsetMs);
    const life = new NodeLife(`${this.name}.${++this.#lives}`, clock, (ended) => this.#ended(ended));
    this.#clock = clock;
    this.#life = life;
    this.#start(life, clock).catch(() => life.crash());
  }

  async #start(life: NodeLife, clock: ProcessClock): Promise<void> {
    const world = this.#world;
    this.#engine = world.engine.connect(life.name);
    const engine = portsOf(world, life, this.#engine);
    const running = await startNode({
      engine,
      clock,
      log: silentLog,
      node: life.name,
      onQueueSettings: (settings) => world.paused.follow(life.name, settings),
    });
    if (life.dead) return;
    this.#running = running;
    this.#serving = { life, api: running.api, service: running.service, clock };
    world.census.node(this.name);
  }

  crash(): void {
    this.#life?.crash();
  }

  /** Stops the node, as on SIGTERM, then ends it. The node may crash or stand still while it stops. */
  stop(): void {
    const [running, life] = [this.#running, this.#life];
    if (running === undefined || life === undefined) return;
    this.#world.lastStopMs = this.#world.elapsedMs;
    life.run(() => this.#world.runInBackground(this.#close(running, life)));
  }

  /** Makes the process of the node stand still for a time, as SIGSTOP does. */
  freeze(ms: number): void {
    const clock = this.#clock;
    if (clock === undefined || clock.isBehind) return;
    clock.freeze();
    this.#stillMs += ms;
    this.#world.disturbed(ms);
    this.#world.clock.after(ms, () => clock.thaw());
  }

  jump(): void {
    const to = this.#world.between(-furthestOffMs, furthestOffMs);
    this.#clock?.jump(to - this.#offsetMs);
    this.#offsetMs = to;
  }

  async #close(running: HoldfastNode, life: NodeLife): Promise<void> {
    const world = this.#world;
    const { clock } = this.#serving ?? {};
    const activeMs = (): number => (clock?.monotonic() ?? 0) - this.#stillMs;
    const beganMs = activeMs();
    await running.close();
    const tookMs = activeMs() - beganMs;
    if (!life.dead && tookMs > timing.serverStopMs)
      reportViolation(world.rules, 'serversStopInTime', `${life.name} stopped after ${tookMs} ms`);
    life.crash();
  }

  #ended(life: NodeLife): void {
    this.#world.lastStopMs = this.#world.elapsedMs;
    this.#serving = undefined;
    this.#running = undefined;
    this.#clock?.kill();
    this.#world.runInBackground(this.#engine?.close() ?? Promise.resolve());
    this.#world.tally.addToHash(`end ${life.name}`);
    this.#world.clock.after(this.#world.between(200, 15_000), () => this.begin());
  }
}
