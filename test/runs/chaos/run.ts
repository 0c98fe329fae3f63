/** One run of `npm run chaos` on one engine: load, faults, drain, and the evidence that they leave. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PythonClient } from '../python/client.ts';
import { Audit } from './audit.ts';
import { type Deployment, deploy, type EngineName } from './deployment.ts';
import { Faults, workerGraceMs } from './faults.ts';
import { Guard } from './guard.ts';
import type { Evidence } from './judge.ts';
import { readLedgers } from './ledger.ts';
import { Seat } from './places.ts';
import { besideKinds, type FaultKind, faultKinds, scheduleOf } from './schedule.ts';

export interface RunOptions {
  readonly engine: EngineName;
  readonly seed: number;
  readonly seconds: number;
  readonly perS: number;
  readonly python: PythonClient;
  readonly print: (line: string) => void;
}

export interface RunOutcome {
  readonly evidence: Evidence;
  /** Faults of the run itself, such as a process that ended by itself. */
  readonly problems: readonly string[];
  /** The bytes of servers that links swallowed. */
  readonly swallowedBytes: number;
}

/** The time in which submitters get their last answers. */
const answersMs = 90_000;
/** A task whose worker was lost at the end is back within 50 s; a second loss of it takes a further lease. */
const drainMs = 150_000;
const checkEveryMs = 2_000;

class ChaosRun {
  readonly #options: RunOptions;
  readonly #deployment: Deployment;
  readonly #workers: readonly Seat[];
  readonly #submitters: readonly Seat[];
  readonly #faults: Faults;
  readonly #problems: string[] = [];
  readonly #over = new AbortController();
  #beganMs = 0;

  constructor(options: RunOptions, deployment: Deployment, guard: Guard) {
    this.#options = options;
    this.#deployment = deployment;
    this.#workers = deployment.workers.map((place) => new Seat(place, guard));
    this.#submitters = deployment.submitters.map((place) => new Seat(place, guard));
    const problem = (text: string): void => this.#problem(text);
    this.#faults = new Faults({ deployment, workers: this.#workers, guard, problem });
  }

  #problem(text: string): void {
    this.#problems.push(text);
    this.#print(`problem: ${text}`);
  }

  #print(text: string): void {
    const seconds = (performance.now() - this.#beganMs) / 1_000;
    this.#options.print(`${seconds.toFixed(1).padStart(6)} s  ${text}`);
  }

  /** Returns the kinds of faults that can happen here, and prints which cannot. */
  #kinds(): FaultKind[] {
    const { clocks, disk } = this.#deployment;
    const missing = new Set<FaultKind>();
    if (typeof clocks === 'string') {
      this.#options.print(`clock steps are not done: ${clocks}`);
      missing.add('stepServerClock').add('stepWorkerClock');
    }
    if (typeof disk === 'string') {
      this.#options.print(`disk full is not done: ${disk}`);
      missing.add('fillDisk');
    }
    return faultKinds.filter((kind) => !missing.has(kind));
  }

  async run(): Promise<void> {
    const kinds = this.#kinds();
    await Promise.all(this.#deployment.servers.map((server) => server.start()));
    await Promise.all([...this.#workers, ...this.#submitters].map((seat) => seat.start()));
    this.#beganMs = performance.now();
    void this.#faults.superviseServers(this.#over.signal);
    const { seed, seconds } = this.#options;
    const done = await this.#doFaults(scheduleOf({ seed, seconds, kinds }));
    const undone = kinds.filter((kind) => !done.has(kind));
    if (undone.length > 0) this.#print(`not done within ${seconds} s: ${undone.join(', ')}`);
    const leftMs = seconds * 1_000 - (performance.now() - this.#beganMs);
    await sleep(Math.max(0, leftMs));
    this.#faults.setClocksRight();
  }

  async #doFaults(schedule: ReturnType<typeof scheduleOf>): Promise<Set<FaultKind>> {
    const done = new Set<FaultKind>();
    const beside: Promise<void>[] = [];
    for (const fault of schedule) {
      await sleep(Math.max(0, fault.atMs - (performance.now() - this.#beganMs)));
      if (performance.now() - this.#beganMs > this.#options.seconds * 1_000) break;
      const { text, done: over } = this.#faults.do(fault);
      this.#print(text);
      done.add(fault.kind);
      if (besideKinds.includes(fault.kind)) beside.push(over);
      else await over;
    }
    await Promise.all(beside);
    return done;
  }

  /** Waits until the submitters have their answers and all acknowledged tasks have ended. */
  async drain(audit: Audit): Promise<void> {
    this.#print('the load ends');
    await this.#stop(this.#submitters, answersMs);
    const { acknowledged } = readLedgers(this.#deployment.ledgers);
    let left = [...new Set(acknowledged.map(({ id }) => id))];
    const untilMs = performance.now() + drainMs;
    for (;;) {
      left = await audit.unended(left);
      if (left.length === 0 || performance.now() > untilMs) break;
      await sleep(checkEveryMs);
    }
    this.#print(left.length === 0 ? 'all tasks have ended' : `${left.length} tasks have not ended`);
    await this.#stop(this.#workers, workerGraceMs);
  }

  async #stop(seats: readonly Seat[], graceMs: number): Promise<void> {
    for (const fault of await Promise.all(seats.map((seat) => seat.stop(graceMs))))
      if (fault !== undefined) this.#problem(fault);
  }

  async outcome(audit: Audit): Promise<RunOutcome> {
    const ledgers = readLedgers(this.#deployment.ledgers);
    const ids = [...new Set(ledgers.acknowledged.map(({ id }) => id))];
    const tasks = await audit.tasks(ids);
    const listed = await audit.list();
    this.#print('all tasks are read');
    for (const { place, endedByItself } of [...this.#workers, ...this.#submitters])
      if (endedByItself > 0) this.#problem(`${place.name} ended by itself, ${endedByItself} times`);
    const swallowedBytes = this.#deployment.links.reduce((sum, link) => sum + link.swallowedBytes, 0);
    return { evidence: { ...ledgers, tasks, listed }, problems: this.#problems, swallowedBytes };
  }

  async close(): Promise<void> {
    this.#over.abort();
    await Promise.all([...this.#workers, ...this.#submitters].map((seat) => seat.end()));
  }
}

export async function runChaos(options: RunOptions): Promise<RunOutcome> {
  const { engine, seed, perS, python } = options;
  const guard = await Guard.start();
  const deployment = await deploy({ engine, seed, perS, guard, python });
  try {
    const run = new ChaosRun(options, deployment, guard);
    const audit = new Audit(
      deployment.servers.map(({ setup }) => setup.port),
      deployment.tls,
    );
    try {
      await run.run();
      await run.drain(audit);
      return await run.outcome(audit);
    } finally {
      await audit.close();
      await run.close();
    }
  } finally {
    await deployment.close();
    await guard.close();
  }
}
