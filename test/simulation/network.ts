import type { Service } from '../../src/service/service.ts';
import type { SimNode } from './node.ts';
import type { World } from './world.ts';

/** The call's outcome is unknown: it was lost, its node died, or it took too long. */
export class NoAnswer extends Error {}

const timeoutMs = 10_000;

/** Calls of clients to nodes: delayed, lost on the way there or back, or delivered twice. */
export class Network {
  readonly nodes: readonly SimNode[];
  readonly world: World;

  constructor(world: World, nodes: readonly SimNode[]) {
    this.world = world;
    this.nodes = nodes;
  }

  /** Any node that answers, or undefined where all are down. */
  node(): SimNode | undefined {
    return this.world.pick(this.nodes.filter((node) => node.service !== undefined));
  }

  async travel(): Promise<void> {
    const { world } = this;
    const longestMs = world.strikes('delayed message', 0.02) ? 8_000 : 20;
    await world.clock.sleep(world.between(1, longestMs));
  }

  /** Rejects with NoAnswer where nobody knows; a refusal by the service is its own error. */
  async call<T>(run: (service: Service) => Promise<T>): Promise<T> {
    const { world } = this;
    await this.travel();
    const service = this.node()?.service;
    if (service === undefined || world.strikes('lost request', 0.02)) return this.#silence();
    const answers = [run(service)];
    if (world.strikes('doubled message', 0.03)) answers.push(this.#late(service, run));
    for (const answer of answers) answer.catch(() => {});
    const answer = await this.#within(Promise.race(answers));
    await this.travel();
    if (world.strikes('lost response', 0.02)) return this.#silence();
    return answer;
  }

  async #late<T>(service: Service, run: (service: Service) => Promise<T>): Promise<T> {
    await this.world.clock.sleep(this.world.between(0, 3_000));
    return run(service);
  }

  async #silence(): Promise<never> {
    await this.world.clock.sleep(timeoutMs);
    throw new NoAnswer();
  }

  #within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.world.clock.after(timeoutMs, () => reject(new NoAnswer()));
      const settled = (): void => cancel();
      answer.then(resolve, reject).then(settled, settled);
    });
  }
}
