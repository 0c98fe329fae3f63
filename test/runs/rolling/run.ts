/** One run of `npm run rolling` on one engine: load, changes of versions, drain, and the evidence that they leave. */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkStore } from '../../../src/engines/sqlite/check/check-store.ts';
import { type Client, connect } from '../../../src/index.ts';
import { Audit } from '../chaos/audit.ts';
import type { EngineName } from '../chaos/deployment.ts';
import { Guard } from '../chaos/guard.ts';
import type { Evidence } from '../chaos/judge.ts';
import { readLedgers } from '../chaos/ledger.ts';
import type { RunOutcome } from '../chaos/run.ts';
import { readTasks, unendedOf } from '../deploys/audit.ts';
import { type Fault, judge as judgeDeploys } from '../deploys/judge.ts';
import { type Deployment, deploy } from './deployment.ts';
import { addNewerEvents, type NewerEvents, newerEventFaults, submitLater } from './newer-events.ts';
import type { ClientPlace, ServerPlace, Versions } from './places.ts';
import { schemaOf } from './schema.ts';
import { type Step, stepsOf } from './steps.ts';
import type { VersionName } from './versions.ts';

export interface RunOptions {
  readonly engine: EngineName;
  readonly seed: number;
  /** Tasks without an ordering key per second, from the submitters of both versions. */
  readonly perS: number;
  readonly versions: Versions;
  readonly print: (line: string) => void;
}

const newerTasks = 10;
/** The longest time in which the tasks with newer events end after the step; they wait 20 s before. */
const newerMs = 60_000;
const workerGraceMs = 25_000;
const answersMs = 60_000;
const drainMs = 120_000;
const checkEveryMs = 1_000;
const named = 6;

export interface RollingOutcome extends RunOutcome {
  /**
   * The leases that expired although their worker was stopped in order: those that count as a loss of the worker. An
   * assignment that a stopping server had not sent returns when its lease expires, without a loss.
   */
  readonly leasesLost: readonly Fault[];
}

class RollingRun {
  readonly #options: RunOptions;
  readonly #deployment: Deployment;
  readonly #client: Client;
  readonly #problems: string[] = [];
  readonly #beganMs = Date.now();
  #newer: NewerEvents | undefined;

  constructor(options: RunOptions, deployment: Deployment) {
    this.#options = options;
    this.#deployment = deployment;
    const { address, tls } = deployment;
    this.#client = connect(`holdfast://${address}`, { tls, retryFor: '1m' });
  }

  #print(text: string): void {
    const seconds = (Date.now() - this.#beganMs) / 1_000;
    this.#options.print(`${seconds.toFixed(1).padStart(6)} s  ${text}`);
  }

  #problem(text: string): void {
    this.#problems.push(text);
    this.#print(`problem: ${text}`);
  }

  async run(): Promise<void> {
    const { servers, workers, submitters } = this.#deployment;
    await Promise.all(servers.map((server) => server.start()));
    await Promise.all([...workers, ...submitters].map((place) => place.start()));
    const goesBack = await this.#canGoBack();
    for (const step of stepsOf(this.#options.engine, goesBack)) await this.#step(step);
    if (!goesBack) await this.#refusedBack();
  }

  /** A file is upgraded when a server opens it, so that a version with a lower schema number refuses it afterwards. */
  async #canGoBack(): Promise<boolean> {
    const { engine, versions } = this.#options;
    const { reads } = await schemaOf(versions.old, engine);
    const { writes } = await schemaOf(versions.new, engine);
    const mayGoBack = writes <= reads;
    const verdict = mayGoBack
      ? 'the old version reads it'
      : `the old version reads ${reads} at most: no way back`;
    this.#print(`the new version writes the schema ${writes}; ${verdict}`);
    return mayGoBack;
  }

  async #step(step: Step): Promise<void> {
    const { file } = this.#deployment;
    const began = this.#begun();
    // A file is free for the newer build only while its server is stopped, so that the tasks are submitted before.
    const early = step.hasNewerEvents && file !== undefined ? await this.#submitLater() : undefined;
    const addEvents = async (): Promise<void> => {
      if (!step.hasNewerEvents || this.#newer !== undefined) return;
      this.#newer = await this.#addNewerEvents(early ?? (await this.#submitLater()));
    };
    const whileStopped = file === undefined ? async (): Promise<void> => {} : addEvents;
    for (const [i, version] of step.servers.entries())
      await this.#replaceServer(this.#deployment.servers[i] as ServerPlace, version, whileStopped);
    await addEvents();
    const workers = step.workers.map((version, i) =>
      this.#replaceWorker(this.#deployment.workers[i] as ClientPlace, version),
    );
    await Promise.all(workers);
    await sleep(step.seconds * 1_000);
    if (step.hasNewerEvents) await this.#untilNewerEnded();
    const versions = `servers ${step.servers.join(' ')}, workers ${step.workers.join(' ')}`;
    this.#print(`${step.name} (${versions}): ${this.#begun() - began} handlers began`);
  }

  #submitLater(): Promise<string[]> {
    return submitLater(this.#client, this.#options.seed, newerTasks);
  }

  /** Waits until the tasks with newer events have ended, so that the servers of this step work on them. */
  async #untilNewerEnded(): Promise<void> {
    const untilMs = Date.now() + newerMs;
    let left = this.#newer?.ids ?? [];
    while (left.length > 0 && Date.now() < untilMs) {
      left = await unendedOf(this.#client, left);
      if (left.length > 0) await sleep(checkEveryMs);
    }
  }

  async #addNewerEvents(ids: readonly string[]): Promise<NewerEvents> {
    const engine = await this.#deployment.openStore();
    try {
      return await addNewerEvents(engine, ids);
    } finally {
      await engine.close();
    }
  }

  /** Stops the server at a place by SIGTERM and starts one of another version there. */
  async #replaceServer(
    place: ServerPlace,
    version: VersionName,
    whileStopped: () => Promise<void>,
  ): Promise<void> {
    if (place.version === version) return;
    const { ms, inTime } = await place.stop();
    if (!inTime) this.#problem(`a server was killed, ${Math.round(ms)} ms after SIGTERM`);
    await whileStopped();
    this.#checkFile();
    place.version = version;
    await place.start();
    this.#print(`${place.name} is ${version}; its stop took ${Math.round(ms)} ms`);
  }

  async #replaceWorker(place: ClientPlace, version: VersionName): Promise<void> {
    if (place.version === version) return;
    const fault = await place.stop(workerGraceMs);
    if (fault !== undefined) this.#problem(fault);
    place.version = version;
    await place.start();
    this.#print(`${place.name} is ${version}`);
  }

  /** Checks the file of the store while no server has it. */
  #checkFile(): void {
    const { file } = this.#deployment;
    for (const { text } of file === undefined ? [] : checkStore(file)) this.#problem(text);
  }

  #begun(): number {
    return readLedgers(this.#deployment.ledgers).calls.length;
  }

  /** Shows that the old version refuses the file that the new one has upgraded. */
  async #refusedBack(): Promise<void> {
    const { servers, file } = this.#deployment;
    const server = servers[0];
    if (file === undefined || server === undefined) return;
    await server.stop();
    server.version = 'old';
    const refusal = await server.refusal();
    if (refusal?.includes('SCHEMA_NEWER')) this.#print(`the old version refuses the file: ${refusal}`);
    else this.#problem(`the old version does not refuse a file of a newer schema: ${refusal}`);
    if (refusal === undefined) await server.stop();
    server.version = 'new';
    await server.start();
  }

  /** Waits until the submitters have their answers and all acknowledged tasks have ended. */
  async drain(audit: Audit): Promise<void> {
    await this.#stop(this.#deployment.submitters, answersMs);
    const { acknowledged } = readLedgers(this.#deployment.ledgers);
    let left = [...new Set([...acknowledged.map(({ id }) => id), ...(this.#newer?.ids ?? [])])];
    const untilMs = performance.now() + drainMs;
    for (;;) {
      left = await audit.unended(left);
      if (left.length === 0 || performance.now() > untilMs) break;
      await sleep(checkEveryMs);
    }
    this.#print(left.length === 0 ? 'all tasks have ended' : `${left.length} tasks have not ended`);
    await this.#stop(this.#deployment.workers, workerGraceMs);
  }

  async #stop(places: readonly ClientPlace[], graceMs: number): Promise<void> {
    for (const fault of await Promise.all(places.map((place) => place.stop(graceMs))))
      if (fault !== undefined) this.#problem(fault);
  }

  async evidence(audit: Audit): Promise<Evidence> {
    const ledgers = readLedgers(this.#deployment.ledgers);
    const tasks = await audit.tasks([...new Set(ledgers.acknowledged.map(({ id }) => id))]);
    const listed = await audit.list();
    await this.#client.close();
    return { ...ledgers, tasks, listed };
  }

  async outcome(evidence: Evidence): Promise<RollingOutcome> {
    const { servers, workers, submitters } = this.#deployment;
    await Promise.all(servers.map((server) => server.stop()));
    await this.#judgeNewer();
    this.#checkFile();
    for (const place of [...servers, ...workers, ...submitters])
      if (place.endedByItself > 0) this.#problem(`a process ended by itself, ${place.endedByItself} times`);
    for (const version of ['old', 'new'] as const) {
      const begun = evidence.calls.filter(({ process }) => process.split(':')[0]?.endsWith(`-${version}`));
      if (begun.length === 0) this.#problem(`no worker of the ${version} version began a task`);
    }
    const leasesLost = await this.#leasesLost(evidence);
    return { evidence, problems: this.#problems, swallowedBytes: 0, leasesLost };
  }

  /** Reads the tasks from the store of the stopped servers, and judges their leases as `npm run deploys` does. */
  async #leasesLost({ acknowledged, calls }: Evidence): Promise<readonly Fault[]> {
    const ids = [...new Set(acknowledged.map(({ id }) => id))];
    const engine = await this.#deployment.openStore();
    const tasks = await readTasks(engine.store, ids).finally(() => engine.close());
    const { leasesLost } = judgeDeploys({
      ...{ acknowledged: ids, tasks, workers: [], poison: '', serverKillsAtMs: [], recalls: [] },
      calls: calls.map((call) => ({ ...call, pid: 0, end: undefined })),
      cancelled: new Set(),
    });
    for (const { id, text, atMs } of leasesLost.slice(0, named))
      this.#print(`lease lost: ${id} ${text}, at ${((atMs - this.#beganMs) / 1_000).toFixed(1)} s`);
    return leasesLost;
  }

  async #judgeNewer(): Promise<void> {
    if (this.#newer === undefined) return;
    const engine = await this.#deployment.openStore();
    const faults = await newerEventFaults(engine, this.#newer).finally(() => engine.close());
    for (const fault of faults) this.#problem(fault);
    const kept = this.#newer.ids.length - faults.length;
    this.#print(
      `${kept} of ${this.#newer.ids.length} tasks with an event of a newer kind ended well and kept it`,
    );
  }

  async close(): Promise<void> {
    await this.#client.close();
    await Promise.all(
      [...this.#deployment.workers, ...this.#deployment.submitters].map((place) => place.end()),
    );
  }
}

export async function runRolling(options: RunOptions): Promise<RollingOutcome> {
  const guard = await Guard.start();
  const deployment = await deploy({ ...options, guard });
  try {
    const run = new RollingRun(options, deployment);
    const audit = new Audit(
      deployment.servers.map(({ port }) => port),
      deployment.tls,
    );
    try {
      await run.run();
      await run.drain(audit);
      return await run.outcome(await run.evidence(audit));
    } finally {
      await audit.close();
      await run.close();
    }
  } finally {
    await deployment.close();
    await guard.close();
  }
}
