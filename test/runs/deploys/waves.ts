/** The waves of `npm run deploys`: the poison among many tasks, a paused queue, and many cancelled tasks. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../src/client/client.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import type { Transport } from '../../../src/client/transport.ts';
import type { Client } from '../../../src/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { AdminService } from '../../../src/rpc/gen/holdfast/v1/admin_service_pb.ts';
import { chanceOf, mainQueue, type Planned, plannedPoison, plannedTask } from './contract.ts';
import type { Deployment } from './deployment.ts';
import type { Pause } from './gaps.ts';
import { pidOf, type Recall } from './judge.ts';
import type { Load } from './load.ts';

const callMs = 10_000;
const pausedMs = 8_000;
const callsAtOnce = 24;
/** The share of long tasks among those around the poison. */
const longShare = 0.02;
const submissionsAtOnce = 200;
const nearMs = 500;
/** A node reads the settings of the queues every 5 s. */
const pauseFarMs = 5_500;
/** Other nodes know of a cancellation with the next heartbeat, 10 s after the last one. */
const cancelFarMs = 10_500;

/** A queue that was paused, and the workers on the node that answered. */
export interface PausedQueue extends Pause {
  readonly answeredAtMs: number;
  readonly near: ReadonlySet<number>;
}

export class Waves {
  readonly #deployment: Deployment;
  readonly #load: Load;
  readonly #seed: number;
  readonly #transport: Transport;
  readonly client: Client;
  readonly recalls: Recall[] = [];
  poison = '';

  constructor(deployment: Deployment, load: Load, seed: number) {
    this.#deployment = deployment;
    this.#load = load;
    this.#seed = seed;
    const port = deployment.servers[0]?.setup.port;
    const clock = systemClock();
    this.#transport = grpcTransport({ address: `127.0.0.1:${port}`, tls: deployment.tls, clock });
    this.client = createClient(this.#transport, { clock, retryFor: '1m' });
  }

  /** Submits this many tasks, one of which is the poison. */
  async submitPoison(count: number): Promise<void> {
    const at = Math.floor(count * (0.25 + 0.5 * chanceOf(this.#seed, 'poison')));
    const plans = Array.from({ length: count }, (_, i) =>
      i === at ? plannedPoison('poison') : plannedTask(this.#seed, `wave-${i}`, longShare),
    );
    const submit = async ({ task, work, queue }: Planned): Promise<void> => {
      const { id } = await this.client.submit(task, work, { queue });
      this.#load.acknowledged.add(id);
      if (work.exits) this.poison = id;
    };
    for (let i = 0; i < count; i += submissionsAtOnce) {
      await Promise.all(plans.slice(i, i + submissionsAtOnce).map(submit));
    }
  }

  /** Pauses the main queue for some seconds while workers hold fetched tasks of it. */
  async pause(): Promise<PausedQueue> {
    const request = { tenant: '', name: mainQueue };
    const before = await this.#workersOfNode();
    const fromMs = Date.now();
    await this.#transport.call(AdminService.method.pauseQueue, request, { timeoutMs: callMs });
    const answeredAtMs = Date.now();
    await sleep(pausedMs);
    const after = await this.#workersOfNode();
    const resumedAtMs = Date.now();
    await this.#transport.call(AdminService.method.resumeQueue, request, { timeoutMs: callMs });
    const near = before.intersection(after);
    // Other nodes know of the end of the pause as late as of its begin.
    return { queue: mainQueue, fromMs, answeredAtMs, untilMs: resumedAtMs + pauseFarMs, near };
  }

  /** Cancels the oldest tasks that have not begun, so that many of them are in the buffers of workers. */
  async cancel(count: number): Promise<void> {
    const near = await this.#workersOfNode();
    const ids = this.#load.oldestUnbegun(count).filter((id) => id !== this.poison);
    for (const id of ids) this.#load.cancelled.add(id);
    for (let i = 0; i < ids.length; i += callsAtOnce) {
      await Promise.all(ids.slice(i, i + callsAtOnce).map((id) => this.#cancel(id, near)));
    }
  }

  async #cancel(id: string, near: ReadonlySet<number>): Promise<void> {
    try {
      await this.client.task(id).cancel('planned');
    } catch (thrown) {
      // A task that has ended before its cancellation is no failure.
      if ((thrown as { reason?: string }).reason === 'TASK_ENDED') return;
      throw thrown;
    }
    const untilMs = Number.POSITIVE_INFINITY;
    this.recalls.push({ id, answeredAtMs: Date.now(), untilMs, nearMs, farMs: cancelFarMs, near });
  }

  /** Returns the process ids of the workers whose streams are on the first server. */
  async #workersOfNode(): Promise<ReadonlySet<number>> {
    const { method } = AdminService;
    const request = { tenant: '', queue: mainQueue };
    const { workers } = await this.#transport.call(method.listWorkers, request, { timeoutMs: callMs });
    const node = `${hostname()}/${this.#deployment.servers[0]?.pid}`;
    return new Set(workers.filter((worker) => worker.node === node).map(({ name }) => pidOf(`${name}/`)));
  }

  /** Waits until the poison has ended, at most this long. */
  async poisonEnded(limitMs: number): Promise<void> {
    const untilMs = performance.now() + limitMs;
    while (performance.now() < untilMs) {
      const { endedAt } = await this.client.get(this.poison);
      if (endedAt !== undefined) return;
      await sleep(1_000);
    }
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** Returns the recalls of these tasks by a pause of their queue. */
export function recallsOfPause(paused: PausedQueue, ids: readonly string[]): Recall[] {
  const { answeredAtMs, untilMs: knownAtMs, near } = paused;
  const untilMs = knownAtMs - pauseFarMs;
  return ids.map((id) => ({ id, answeredAtMs, untilMs, nearMs, farMs: pauseFarMs, near }));
}
