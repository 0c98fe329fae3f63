import type { ProcessClock } from '../../src/platform/virtual-clock.ts';
import type { Engine } from '../../src/ports/engine.ts';
import { silentLog } from '../../src/ports/log.ts';
import { startRuntime } from '../../src/runtime/runtime.ts';
import { createService } from '../../src/service/create-service.ts';
import type { Service } from '../../src/service/service.ts';
import { type Life, portsOf } from './ports.ts';
import type { World } from './world.ts';

const furthestOffMs = 1_000;

/** A process that serves: it may die at any await and comes back as another life on the same store. */
export class SimNode {
  readonly name: string;
  /** Absent while it is down or starting. */
  service: Service | undefined;
  readonly #world: World;
  #life: Life | undefined;
  #clock: ProcessClock | undefined;
  #engine: Engine | undefined;
  #offsetMs: number;
  #lives = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#offsetMs = world.between(-furthestOffMs, furthestOffMs);
  }

  /** Names its present life; a caller that finds another one knows that its stream is gone. */
  get life(): number {
    return this.service === undefined ? -1 : this.#lives;
  }

  /** A start fails where the store does: then the process is started again. */
  begin(): void {
    this.#start().catch(() => this.crash());
  }

  async #start(): Promise<void> {
    const world = this.#world;
    const life: Life = {
      name: `${this.name}.${++this.#lives}`,
      dead: false,
      crash: () => {
        if (!life.dead) this.#crash(life);
      },
    };
    this.#life = life;
    this.#clock = world.clock.process(this.#offsetMs);
    this.#engine = world.engine.connect(life.name);
    const ports = portsOf(world, life, this.#engine);
    const options = { ...ports, node: life.name, clock: this.#clock, log: silentLog, createQueues: true };
    const running = await createService(options);
    if (life.dead) return;
    startRuntime(running);
    this.service = running.service;
  }

  crash(): void {
    this.#life?.crash();
  }

  jump(): void {
    const to = this.#world.between(-furthestOffMs, furthestOffMs);
    this.#clock?.jump(to - this.#offsetMs);
    this.#offsetMs = to;
  }

  #crash(life: Life): void {
    life.dead = true;
    this.service = undefined;
    this.#clock?.kill();
    this.#world.begin(this.#engine?.close() ?? Promise.resolve());
    this.#world.tally.note(`crash ${life.name}`);
    this.#world.clock.after(this.#world.between(200, 15_000), () => this.begin());
  }
}
