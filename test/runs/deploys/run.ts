/** One run of `npm run deploys` on one engine: the phases, and the evidence that they leave. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readTasks, unendedOf } from './audit.ts';
import { chanceOf, mainQueue } from './contract.ts';
import { type Deployment, deployAws, deploySqlite, type EngineName } from './deployment.ts';
import type { Pause } from './gaps.ts';
import type { Evidence } from './judge.ts';
import { readLedgers } from './ledger.ts';
import { Load } from './load.ts';
import { type PausedQueue, recallsOfPause, Waves } from './waves.ts';
import { Workers } from './workers.ts';

export interface RunOptions {
  readonly engine: EngineName;
  readonly seed: number;
  /** The number of restarts of a server by each signal. */
  readonly restarts: number;
  readonly rolls: number;
  /** The number of tasks of which one is the poison. */
  readonly tasks: number;
  readonly cancels: number;
  /** The time after which the run waits for nothing more than for its tasks to end. */
  readonly limitMs: number;
  readonly progress: (line: string) => void;
}

export interface Phase {
  readonly name: string;
  /** True if the servers or the workers are restarted in order, so that the longest gap is judged. */
  readonly isOrderly: boolean;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface RunOutcome extends Evidence {
  readonly engine: EngineName;
  readonly phases: readonly Phase[];
  readonly pauses: readonly Pause[];
  /** Faults of the run itself, such as a process that did not end in time. */
  readonly problems: readonly string[];
  readonly longestServerStopMs: number;
  readonly longestWorkerStopMs: number;
}

const warmMs = 6_000;
/** The pause between two restarts, in which the load goes on. */
const restMs = { least: 500, most: 1_500 } as const;
/** The longest time to wait for a handler to begin after a restart. */
const workMs = 15_000;
/** The average time of a restart after which no further one is tried. */
const restartBudgetMs = 7_000;
/** The time after a pause in which workers fetch tasks again. */
const fetchedMs = 500;
/** The longest time to wait for the poison's end: three leases, and the time in which its worker becomes idle. */
const poisonMs = 150_000;
const submitterMs = 15_000;
const drainMs = 45_000;
const checkEveryMs = 1_000;

/** The state of a run: its processes, and the record of all signals. */
class DeployRun {
  readonly #options: RunOptions;
  readonly #deployment: Deployment;
  readonly #beganMs = performance.now();
  readonly workers: Workers;
  readonly load: Load;
  readonly waves: Waves;
  readonly phases: Phase[] = [];
  readonly problems: string[] = [];
  readonly serverKillsAtMs: number[] = [];
  paused: PausedQueue | undefined;
  longestServerStopMs = 0;

  constructor(options: RunOptions, deployment: Deployment) {
    this.#options = options;
    this.#deployment = deployment;
    this.workers = new Workers(deployment);
    this.load = new Load({
      seed: options.seed,
      ledgers: deployment.ledgers,
      clientEnv: deployment.clientEnv,
    });
    this.waves = new Waves(deployment, this.load, options.seed);
  }

  async phase(name: string, isOrderly: boolean, run: () => Promise<void>): Promise<void> {
    const fromMs = Date.now();
    const begun = this.load.begun;
    await run();
    const untilMs = Date.now();
    this.phases.push({ name, isOrderly, fromMs, untilMs });
    const seconds = Math.round((untilMs - fromMs) / 1_000);
    this.#options.progress(`${name}: ${seconds} s, ${this.load.begun - begun} tasks begun`);
  }

  async start(): Promise<void> {
    await Promise.all(this.#deployment.servers.map((server) => server.start()));
    await Promise.all([this.workers.start(), this.load.ready]);
  }

  /** Restarts the servers in turn, each time while handlers begin. */
  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { restarts, seed } = this.#options;
    const { servers } = this.#deployment;
    const untilMs = performance.now() + restarts * restartBudgetMs;
    for (let i = 0; i < restarts; i++) {
      if (performance.now() > untilMs) {
        this.problems.push(`${restarts - i} restarts by ${signal} were not tried`);
        return;
      }
      const server = servers[i % servers.length];
      if (signal === 'SIGTERM') {
        const { ms, inTime } = (await server?.stop()) ?? { ms: 0, inTime: true };
        this.longestServerStopMs = Math.max(this.longestServerStopMs, ms);
        if (!inTime) this.problems.push(`a server was killed, ${Math.round(ms)} ms after SIGTERM`);
      } else {
        this.serverKillsAtMs.push(Date.now());
        await server?.kill();
      }
      await server?.start();
      await this.#untilWork();
      await sleep(restMs.least + (restMs.most - restMs.least) * chanceOf(seed, signal, i));
    }
  }

  async #untilWork(): Promise<void> {
    const fromMs = Date.now();
    while (this.load.beganAtMs <= fromMs && Date.now() - fromMs < workMs) await sleep(50);
  }

  async roll(): Promise<void> {
    for (let i = 0; i < this.#options.rolls; i++) await this.workers.roll();
    if (this.workers.stoppedLate > 0)
      this.problems.push(`${this.workers.stoppedLate} workers were killed long after SIGTERM`);
  }

  async poisonEnded(): Promise<void> {
    const leftMs = this.#options.limitMs - (performance.now() - this.#beganMs);
    await this.waves.poisonEnded(Math.min(poisonMs, leftMs));
  }

  async pause(): Promise<void> {
    this.paused = await this.waves.pause(() => this.waves.submitPoison(this.#options.tasks));
    await sleep(fetchedMs);
  }

  async cancel(): Promise<void> {
    await this.waves.cancel(this.#options.cancels);
  }

  /** Waits until all tasks have ended, then stops the workers and the servers. */
  async drain(): Promise<void> {
    await this.load.stop(submitterMs);
    const untilMs = performance.now() + drainMs;
    let left = [...this.load.acknowledged].filter((id) => !this.load.hasEndedWell(id));
    while (left.length > 0 && performance.now() < untilMs) {
      await sleep(checkEveryMs);
      left = await unendedOf(
        this.waves.client,
        left.filter((id) => !this.load.hasEndedWell(id)),
      );
    }
    // A handler that has ended well is no end of its task yet, so each task is read at least once.
    left = [...this.load.acknowledged];
    do left = await unendedOf(this.waves.client, left);
    while (left.length > 0 && performance.now() < untilMs && (await sleep(checkEveryMs, true)));
  }

  async stop(): Promise<void> {
    await this.waves.close();
    await this.workers.stop();
    await Promise.all(this.#deployment.servers.map((server) => server.stop()));
    for (const { setup, endedByItself } of this.#deployment.servers)
      if (endedByItself > 0) this.problems.push(`${setup.name} ended by itself`);
    for (const failure of new Set(this.load.failures)) this.problems.push(`a submission failed: ${failure}`);
  }

  async outcome(): Promise<RunOutcome> {
    const { load, waves, workers, paused } = this;
    const acknowledged = [...load.acknowledged];
    const engine = await this.#deployment.openStore();
    const tasks = await readTasks(engine.store, acknowledged).finally(() => engine.close());
    const calls = readLedgers(this.#deployment.ledgers);
    const pausedIds = tasks.filter(({ queue }) => queue === mainQueue).map(({ id }) => id);
    const ended = workers.records.filter(({ end }) => end?.how === 'byItself').length;
    const poisoned = calls.filter(({ id }) => id === waves.poison).length;
    if (ended > poisoned)
      this.problems.push(`${ended} workers ended by themselves, ${poisoned} by the poison`);
    return {
      engine: this.#options.engine,
      ...{ acknowledged, tasks, calls, workers: workers.records, poison: waves.poison },
      serverKillsAtMs: this.serverKillsAtMs,
      recalls: [...waves.recalls, ...(paused === undefined ? [] : recallsOfPause(paused, pausedIds))],
      cancelled: load.cancelled,
      phases: this.phases,
      pauses: paused === undefined ? [] : [paused],
      problems: this.problems,
      longestServerStopMs: this.longestServerStopMs,
      longestWorkerStopMs: workers.longestStopMs,
    };
  }

  async close(): Promise<void> {
    await this.waves.close();
    await this.load.close();
    await this.workers.kill();
  }
}

async function runPhases(run: DeployRun): Promise<void> {
  await run.phase('load alone', false, () => sleep(warmMs));
  await run.phase('servers stopped', true, () => run.restart('SIGTERM'));
  await run.phase('servers killed', false, () => run.restart('SIGKILL'));
  await run.phase('workers rolled', true, () => run.roll());
  await run.phase('queue paused', false, () => run.pause());
  await run.phase('tasks cancelled', false, () => run.cancel());
  await run.phase('poison', false, () => run.poisonEnded());
  await run.phase('drain', false, () => run.drain());
}

export async function runDeploys(options: RunOptions): Promise<RunOutcome> {
  const deployment = options.engine === 'sqlite' ? await deploySqlite() : await deployAws(options.seed);
  try {
    const run = new DeployRun(options, deployment);
    try {
      await run.start();
      await runPhases(run);
      await run.stop();
      return await run.outcome();
    } finally {
      await run.close();
    }
  } finally {
    await deployment.close();
  }
}
