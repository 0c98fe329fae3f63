import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { ProcessClock } from '../../../src/testing/virtual-clock.ts';
import type { World } from '../world.ts';
import { portsOf } from './ports.ts';
import { Life, type Serving } from './serving.ts';

const furthestOffMs = 1_000;

/** A process that serves: it may die at any await, or stop in order, and comes back as another life on the same store. */
export class SimNode {
  readonly name: string;
  readonly #world: World;
  #serving: Serving | undefined;
  #life: Life | undefined;
  #clock: ProcessClock | undefined;
  #engine: Engine | undefined;
  #running: HoldfastNode | undefined;
  #offsetMs: number;
  #lives = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#offsetMs = world.between(-furthestOffMs, furthestOffMs);
  }

  /** Undefined while it is down or starting. */
  get serving(): Serving | undefined {
    return this.#serving;
  }

  /** A start fails where the store does: then the process is started again. */
  begin(): void {
    const life = new Life(`${this.name}.${++this.#lives}`, (ended) => this.#ended(ended));
    this.#life = life;
    this.#start(life).catch(() => life.crash());
  }

  async #start(life: Life): Promise<void> {
    const world = this.#world;
    const clock = world.clock.process(this.#offsetMs);
    this.#clock = clock;
    this.#engine = world.engine.connect(life.name);
    const engine = portsOf(world, life, this.#engine);
    const running = await startNode({ engine, clock, log: silentLog, node: life.name });
    if (life.dead) return;
    this.#running = running;
    this.#serving = { life, api: running.api, clock };
    world.census.node(this.name);
  }

  crash(): void {
    this.#life?.crash();
  }

  /** As on SIGTERM: no new work, what runs finishes within a limit, then it is gone; it may crash meanwhile. */
  drain(): void {
    const [running, life] = [this.#running, this.#life];
    if (running === undefined || life === undefined) return;
    this.#world.begin(running.close(this.#world.between(1_000, 30_000)).then(() => life.crash()));
  }

  jump(): void {
    const to = this.#world.between(-furthestOffMs, furthestOffMs);
    this.#clock?.jump(to - this.#offsetMs);
    this.#offsetMs = to;
  }

  #ended(life: Life): void {
    this.#serving = undefined;
    this.#running = undefined;
    this.#clock?.kill();
    this.#world.begin(this.#engine?.close() ?? Promise.resolve());
    this.#world.tally.note(`end ${life.name}`);
    this.#world.clock.after(this.#world.between(200, 15_000), () => this.begin());
  }
}
