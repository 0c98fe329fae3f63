/** The waves of `npm run deploys`: the poison among many tasks, a paused queue, and many cancelled tasks. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../src/client/create-client.ts';
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
import type { Server } from './server.ts';

const callMs = 10_000;
const pausedMs = 8_000;
const callsAtOnce = 50;
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
  readonly resumedAtMs: number;
  readonly near: ReadonlySet<number>;
}

/** A server, and a client that calls it past the load balancer. */
interface Node {
  readonly server: Server;
  readonly transport: Transport;
  readonly client: Client;
}

/** Returns the process ids of the workers whose streams are on this node. */
async function workersOf({ server, transport }: Node): Promise<ReadonlySet<number>> {
  const request = { tenant: '', queue: mainQueue };
  const { method } = AdminService;
  const { workers } = await transport.call(method.listWorkers, request, { timeoutMs: callMs });
  const own = workers.filter(({ node }) => node === `${hostname()}/${server.pid}`);
  return new Set(own.map(({ name }) => pidOf(`${name}/`)));
}

export class Waves {
  readonly #load: Load;
  readonly #seed: number;
  readonly #nodes: readonly Node[];
  readonly recalls: Recall[] = [];
  poison = '';

  constructor(deployment: Deployment, load: Load, seed: number) {
    this.#load = load;
    this.#seed = seed;
    const clock = systemClock();
    this.#nodes = deployment.servers.map((server) => {
      const address = `127.0.0.1:${server.setup.port}`;
      const transport = grpcTransport({ address, tls: deployment.tls, clock });
      return { server, transport, client: createClient(transport, { clock, retryFor: '1m' }) };
    });
  }

  get client(): Client {
    return (this.#nodes[0] as Node).client;
  }

  /** Submits this many tasks, one of which is the poison. */
  async submitPoison(count: number): Promise<void> {
    const at = Math.floor(count * (0.1 + 0.2 * chanceOf(this.#seed, 'poison')));
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

  /**
   * Pauses the main queue for some seconds while workers hold fetched tasks of it. More tasks are submitted meanwhile,
   * so that many wait after the pause.
   */
  async pause(submit: () => Promise<void>): Promise<PausedQueue> {
    const node = await this.#busiest();
    const { transport } = node;
    const request = { tenant: '', name: mainQueue };
    const before = await workersOf(node);
    const fromMs = Date.now();
    await transport.call(AdminService.method.pauseQueue, request, { timeoutMs: callMs });
    const answeredAtMs = Date.now();
    await Promise.all([sleep(pausedMs), submit()]);
    const near = before.intersection(await workersOf(node));
    const resumedAtMs = Date.now();
    await transport.call(AdminService.method.resumeQueue, request, { timeoutMs: callMs });
    // Other nodes know of the end of the pause as late as of its begin.
    return { queue: mainQueue, fromMs, answeredAtMs, untilMs: resumedAtMs + pauseFarMs, resumedAtMs, near };
  }

  /**
   * Cancels tasks that have not begun: the oldest ones, many of which are in the buffers of workers, then as many of the
   * newest ones, which wait.
   */
  async cancel(count: number): Promise<void> {
    const node = await this.#busiest();
    const near = await workersOf(node);
    const unbegun = this.#load.unbegun().filter((id) => id !== this.poison);
    const ids = [...new Set([...unbegun.slice(0, count / 2), ...unbegun.slice(-count / 2)])];
    for (const id of ids) this.#load.cancelled.add(id);
    for (let i = 0; i < ids.length; i += callsAtOnce) {
      await Promise.all(ids.slice(i, i + callsAtOnce).map((id) => this.#cancel(node.client, id, near)));
    }
  }

  async #cancel(client: Client, id: string, near: ReadonlySet<number>): Promise<void> {
    try {
      await client.task(id).cancel('planned');
    } catch (thrown) {
      // A task that has ended before its cancellation is no failure.
      if ((thrown as { reason?: string }).reason === 'TASK_ENDED') return;
      throw thrown;
    }
    const untilMs = Number.POSITIVE_INFINITY;
    this.recalls.push({ id, answeredAtMs: Date.now(), untilMs, nearMs, farMs: cancelFarMs, near });
  }

  /** Returns the node with the most workers, so that a call to it recalls tasks of its own streams. */
  async #busiest(): Promise<Node> {
    const counts = await Promise.all(this.#nodes.map(async (node) => (await workersOf(node)).size));
    return this.#nodes[counts.indexOf(Math.max(...counts))] as Node;
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

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map(({ client }) => client.close()));
  }
}

/** Returns the recalls of these tasks by a pause of their queue. */
export function recallsOfPause(paused: PausedQueue, ids: readonly string[]): Recall[] {
  const { answeredAtMs, resumedAtMs: untilMs, near } = paused;
  return ids.map((id) => ({ id, answeredAtMs, untilMs, nearMs, farMs: pauseFarMs, near }));
}
