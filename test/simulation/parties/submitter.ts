import type { Client } from '../../../src/client/client.ts';
import type { SubmittedTask } from '../../../src/client/tasks/task-handle.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { Violation } from '../checks/violation.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import { mustPass } from '../network/refusals.ts';
import type { JobResult, Wish } from './job.ts';
import { clientOf, processOf } from './parties.ts';
import { waitForResult } from './waiter.ts';

/** A program that submits by the SDK, some of it again, and waits for some results. */
export class Submitter {
  readonly process: SimProcess;
  readonly #network: Network;
  readonly #client: Client;
  readonly #acknowledged = new Set<Wish>();

  constructor(network: Network, name: string) {
    this.#network = network;
    this.process = processOf(network, name);
    this.#client = clientOf(network, this.process);
  }

  /** Each by itself. */
  take(wishes: readonly Wish[]): void {
    for (const wish of wishes) this.#network.world.begin(this.#see(wish));
  }

  /** What whoever takes its place must go on with. */
  left(wishes: readonly Wish[]): Wish[] {
    return wishes.filter((wish) => !this.#acknowledged.has(wish));
  }

  async #see(wish: Wish): Promise<void> {
    const { world } = this.#network;
    const { clock } = this.process;
    await clock.sleep(wish.atMs - world.elapsedMs);
    const task = await this.#untilAcknowledged(wish);
    this.#acknowledged.add(wish);
    if (world.chance(0.15)) world.begin(waitForResult(this.#network, this.process, task, wish));
    while (world.happens('submitted again', 0.2)) {
      await clock.sleep(world.between(0, 30_000));
      if (world.chance(0.3)) await this.#withAnotherPayload(wish, task.id);
      else await this.#again(wish);
    }
  }

  async #untilAcknowledged(wish: Wish): Promise<SubmittedTask<JobResult>> {
    const { world } = this.#network;
    for (;;) {
      const task = await this.#again(wish);
      if (task !== undefined) return task;
      await this.process.clock.sleep(world.between(200, 4_000));
    }
  }

  async #again(wish: Wish): Promise<SubmittedTask<JobResult> | undefined> {
    const { job, key, n } = wish;
    const task = await this.#client
      .submit(job, { n }, wish.options(this.process.clock.now()))
      .catch((thrown: unknown) => mustPass(thrown, `${key} was refused`));
    if (task !== undefined) this.#network.world.shadow.acknowledged(key, task.id);
    return task;
  }

  async #withAnotherPayload(wish: Wish, id: string): Promise<void> {
    const { job, key, n } = wish;
    const options = wish.options(this.process.clock.now());
    await this.#client.submit(job, { n: -n - 1 }, options).then(
      (task) => {
        throw new Violation('anotherPayloadIsRefused', `${key} was answered with ${task.id}`);
      },
      (thrown: unknown) => {
        const refused = thrown instanceof HoldfastError && thrown.reason === 'KEY_REUSED';
        if (!refused) mustPass(thrown, `${key} with another payload`);
        else if (thrown.taskId !== id)
          throw new Violation('oneKeyOneTask', `${key} is said to be ${thrown.taskId}, not ${id}`);
      },
    );
  }
}
