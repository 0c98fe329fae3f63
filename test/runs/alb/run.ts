/** One run of `npm run alb`: servers on one table behind a load balancer that cuts, and the evidence that this leaves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { issue } from '../../../src/certs/issue.ts';
import { type Client, connect } from '../../../src/index.ts';
import { readTasks, unendedOf } from '../deploys/audit.ts';
import { queues } from '../deploys/contract.ts';
import { type AwsSetup, type Deployment, deployAws, freePort } from '../deploys/deployment.ts';
import type { Evidence } from '../deploys/judge.ts';
import { readLedgers } from '../deploys/ledger.ts';
import { Load } from '../deploys/load.ts';
import { Workers } from '../deploys/workers.ts';
import { LoadBalancer } from './load-balancer.ts';
import { QuietLoad, quietQueue } from './quiet.ts';

export interface AlbOptions {
  readonly seed: number;
  /** The number of deploys of each server. */
  readonly deploys: number;
  readonly progress: (line: string) => void;
}

export interface AlbOutcome extends Evidence {
  readonly cuts: LoadBalancer['cuts'];
  readonly allCuts: number;
  /** The times of the SIGTERMs that came right after the streams of the server were cut. */
  readonly stopsAtMs: readonly number[];
  readonly phases: readonly { readonly name: string; readonly fromMs: number }[];
  /** Faults of the run itself. */
  readonly problems: readonly string[];
}

const warmMs = 5_000;
/** Less than the default of 60 s, and more than the 20 s between two messages of an idle stream. */
const idleMs = 25_000;
const shortIdleMs = 2_000;
const idlePhaseMs = 14_000;
/** The deregistration delay; the streams that are left then are cut. In production it is longer than a stream lives. */
const deregistrationMs = 3_000;
const resets = { times: 20, everyMs: 500, share: 0.25 } as const;
const goAways = { times: 4, graceMs: 1_000, everyMs: 2_000 } as const;
const connectionCuts = { times: 6, everyMs: 1_500 } as const;
const restMs = 1_500;
const submitterMs = 20_000;
const drainMs = 40_000;
const checkEveryMs = 1_000;

class AlbRun {
  readonly #options: AlbOptions;
  readonly #deployment: Deployment;
  readonly #balancer: LoadBalancer;
  readonly #albPorts: readonly number[];
  readonly #client: Client;
  readonly workers: Workers;
  readonly load: Load;
  #quiet: QuietLoad | undefined;
  readonly #phases: { readonly name: string; readonly fromMs: number }[] = [];
  readonly #stopsAtMs: number[] = [];
  readonly problems: string[] = [];

  constructor(
    options: AlbOptions,
    deployment: Deployment,
    balancer: LoadBalancer,
    albPorts: readonly number[],
  ) {
    this.#options = options;
    this.#deployment = deployment;
    this.#balancer = balancer;
    this.#albPorts = albPorts;
    const { tls, clientEnv, ledgers } = deployment;
    this.#client = connect(clientEnv.HOLDFAST_URL, { tls, retryFor: '1m' });
    this.workers = new Workers(deployment);
    this.load = new Load({ seed: options.seed, ledgers, clientEnv });
  }

  async start(): Promise<void> {
    await Promise.all(this.#deployment.servers.map((server) => server.start()));
    await Promise.all(this.#albPorts.map((port) => this.#balancer.untilHealthy(port)));
    await Promise.all([this.workers.start(), this.load.ready]);
    this.#quiet = new QuietLoad(this.#client, this.load.acknowledged);
  }

  async phase(name: string, run: () => Promise<void>): Promise<void> {
    const { cuts } = this.#balancer;
    const [beganMs, begun, before, idleBefore] = [
      Date.now(),
      this.load.begun,
      this.#balancer.allCuts,
      cuts.idle,
    ];
    this.#phases.push({ name, fromMs: beganMs });
    await run();
    const s = ((Date.now() - beganMs) / 1_000).toFixed(1);
    const here = this.#balancer.allCuts - before;
    this.#options.progress(`${name}: ${s} s, ${this.load.begun - begun} tasks begun, ${here} cuts`);
    if (name !== 'idle timeout' && cuts.idle > idleBefore)
      this.problems.push(
        `a connection was idle for ${idleMs / 1_000} s (${name}): its streams sent no keep-alive`,
      );
  }

  /** Deploys each server in turn: it is deregistered, its streams are cut after a delay, SIGTERM ends it, a new one starts. */
  async deploys(): Promise<void> {
    for (let i = 0; i < this.#options.deploys * this.#albPorts.length; i++) {
      const place = i % this.#albPorts.length;
      const [server, port] = [this.#deployment.servers[place], this.#albPorts[place] as number];
      this.#balancer.deregister(port);
      await sleep(deregistrationMs);
      this.#balancer.cutTarget(port);
      this.#stopsAtMs.push(Date.now());
      const { ms, inTime } = (await server?.stop()) ?? { ms: 0, inTime: true };
      if (!inTime) this.problems.push(`a server was killed, ${Math.round(ms)} ms after SIGTERM`);
      await server?.start();
      await this.#balancer.untilHealthy(port);
      await sleep(restMs);
    }
  }

  async idle(): Promise<void> {
    const before = this.#balancer.cuts.idle;
    this.#balancer.idleMs = shortIdleMs;
    await sleep(idlePhaseMs);
    this.#balancer.idleMs = idleMs;
    if (this.#balancer.cuts.idle === before) this.problems.push('no connection was idle');
  }

  async resetCalls(): Promise<void> {
    for (let i = 0; i < resets.times; i++) {
      this.#balancer.resetCalls(resets.share);
      await sleep(resets.everyMs);
    }
  }

  async goAway(): Promise<void> {
    for (let i = 0; i < goAways.times; i++) {
      this.#balancer.goAway(goAways.graceMs);
      await sleep(goAways.everyMs);
    }
  }

  async cutConnections(): Promise<void> {
    for (let i = 0; i < connectionCuts.times; i++) {
      this.#balancer.cutConnections(i % 2 === 0 ? 'clients' : 'targets');
      await sleep(connectionCuts.everyMs);
    }
  }

  /** Waits until all tasks have ended. */
  async drain(): Promise<void> {
    await Promise.all([this.load.stop(submitterMs), this.#quiet?.stop()]);
    const untilMs = Date.now() + drainMs;
    let left = [...this.load.acknowledged];
    do left = await unendedOf(this.#client, left);
    while (left.length > 0 && Date.now() < untilMs && (await sleep(checkEveryMs, true)));
  }

  async stop(): Promise<void> {
    await this.#client.close();
    await this.workers.stop();
    await Promise.all(this.#deployment.servers.map((server) => server.stop()));
    for (const { setup, endedByItself } of this.#deployment.servers)
      if (endedByItself > 0) this.problems.push(`${setup.name} ended by itself`);
    const failures = [...this.load.failures, ...(this.#quiet?.failures ?? [])];
    for (const failure of new Set(failures)) this.problems.push(`a submission failed: ${failure}`);
    const ended = this.workers.records.filter(({ end }) => end?.how === 'byItself').length;
    if (ended > 0) this.problems.push(`${ended} workers ended by themselves`);
  }

  async outcome(): Promise<AlbOutcome> {
    const acknowledged = [...this.load.acknowledged];
    const engine = await this.#deployment.openStore();
    const tasks = await readTasks(engine.store, acknowledged).finally(() => engine.close());
    const none = { poison: '', serverKillsAtMs: [], recalls: [], cancelled: new Set<string>() };
    return {
      ...{ acknowledged, tasks, calls: readLedgers(this.#deployment.ledgers), workers: this.workers.records },
      ...none,
      cuts: this.#balancer.cuts,
      allCuts: this.#balancer.allCuts,
      phases: this.#phases,
      stopsAtMs: this.#stopsAtMs,
      problems: this.problems,
    };
  }

  async close(): Promise<void> {
    await this.#quiet?.stop();
    await this.load.close();
    await this.workers.kill();
    await this.#client.close();
  }
}

export async function runAlb(options: AlbOptions): Promise<AlbOutcome> {
  let balancer: LoadBalancer | undefined;
  let albPorts: readonly number[] = [];
  const setup: AwsSetup = {
    workers: ['sdk', 'command', 'sdk', 'quiet'],
    queues: [...queues, quietQueue],
    async startFront(ports, dir) {
      const targets = await Promise.all(ports.map(freePort));
      const tls = await issue(dir, { name: 'balancer', kind: 'server' }, Date.now());
      const started = await LoadBalancer.start({ tls, targets, idleMs });
      balancer = started;
      albPorts = targets;
      return {
        address: started.address,
        serverArgs: (server) => ['--alb-port', String(targets[server]), '--alb-from', '127.0.0.1/32'],
        close: () => started.close(),
      };
    },
  };
  const deployment = await deployAws(options.seed, setup);
  try {
    const run = new AlbRun(options, deployment, balancer as LoadBalancer, albPorts);
    try {
      await run.start();
      await run.phase('load alone', () => sleep(warmMs));
      await run.phase('deploys', () => run.deploys());
      await run.phase('idle timeout', () => run.idle());
      await run.phase('resets', () => run.resetCalls());
      await run.phase('GOAWAY', () => run.goAway());
      await run.phase('connections cut', () => run.cutConnections());
      await run.phase('drain', () => run.drain());
      await run.stop();
      return await run.outcome();
    } finally {
      await run.close();
    }
  } finally {
    await deployment.close();
  }
}
