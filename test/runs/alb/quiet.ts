/** The tasks of the quiet worker: they run for longer than the short idle timeout of the load balancer. */
import type { Client } from '../../../src/index.ts';
import { long } from '../deploys/contract.ts';

export const quietQueue = 'deploys-quiet';
export const quietSlots = 2;
const taskMs = 12_000;
const everyMs = 6_000;

/** Submits a task for the quiet worker every 6 s until it is stopped. */
export class QuietLoad {
  readonly #client: Client;
  readonly #acknowledged: Set<string>;
  readonly #timer: NodeJS.Timeout;
  #submitted = 0;
  #unanswered: Promise<unknown> = Promise.resolve();
  readonly failures: string[] = [];

  constructor(client: Client, acknowledged: Set<string>) {
    this.#client = client;
    this.#acknowledged = acknowledged;
    this.#timer = setInterval(() => this.#submit(), everyMs);
    this.#submit();
  }

  #submit(): void {
    const work = { name: `quiet-${this.#submitted++}`, ms: taskMs, fails: false, exits: false };
    const submitted = this.#client.submit(long, work, { queue: quietQueue }).then(
      ({ id }) => void this.#acknowledged.add(id),
      (error: Error) => void this.failures.push(error.message),
    );
    this.#unanswered = Promise.all([this.#unanswered, submitted]);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#unanswered;
  }
}
