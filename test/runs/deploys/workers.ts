/** The supervisor of the worker processes of `npm run deploys`: it restarts those that end and rolls all of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { slots } from './contract.ts';
import type { DeployProcess } from './deploy-process.ts';
import type { Deployment, WorkerKind } from './deployment.ts';
import type { WorkerRecord } from './judge.ts';

/** The drain of a worker (25 s), the second in which aborted handlers may stop, and room for a busy machine. */
const workerGraceMs = 32_000;
const restartAfterMs = 200;

interface Place {
  readonly kind: WorkerKind;
  process: DeployProcess;
}

/** A record that changes while its process lives. */
type OpenRecord = { -readonly [Field in keyof WorkerRecord]: WorkerRecord[Field] };

export class Workers {
  readonly #deployment: Deployment;
  readonly #places: Place[] = [];
  readonly #records = new Map<DeployProcess, OpenRecord>();
  #stopping = false;
  /** The longest time that a worker took to end after SIGTERM, in ms. */
  longestStopMs = 0;
  /** The number of workers that had to be killed because they had not ended in time. */
  stoppedLate = 0;

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
  }

  get records(): readonly WorkerRecord[] {
    return [...this.#records.values()];
  }

  async start(): Promise<void> {
    for (const kind of this.#deployment.workers) this.#places.push({ kind, process: this.#launch(kind) });
    await Promise.all(this.#places.map(({ process }) => process.ready));
  }

  #launch(kind: WorkerKind): DeployProcess {
    const process = this.#deployment.launch(kind, `worker-${this.#records.size}-${kind}`);
    const record: OpenRecord = {
      ...{ pid: process.pid, kind, slots, readyAtMs: undefined, stoppedAtMs: undefined, end: undefined },
    };
    this.#records.set(process, record);
    const setReady = (): void => {
      record.readyAtMs = Date.now();
    };
    process.ready.then(setReady, () => {});
    void process.ended.then(() => this.#ended(process, record));
    return process;
  }

  #ended(process: DeployProcess, record: OpenRecord): void {
    const how = record.stoppedAtMs === undefined && !this.#stopping ? 'byItself' : 'stopped';
    record.end = { atMs: process.endedAtMs ?? Date.now(), how };
    if (how === 'byItself') void this.#restart(process);
  }

  async #restart(ended: DeployProcess): Promise<void> {
    await sleep(restartAfterMs);
    const place = this.#places.find(({ process }) => process === ended);
    if (place !== undefined && !this.#stopping) place.process = this.#launch(place.kind);
  }

  /** Replaces each worker in turn: stops it by SIGTERM and starts a new one at once. Resolves when all old ones have ended. */
  async roll(): Promise<void> {
    const stops: Promise<void>[] = [];
    for (const place of this.#places) {
      stops.push(this.#stop(place.process));
      place.process = this.#launch(place.kind);
      await place.process.ready;
    }
    await Promise.all(stops);
  }

  async #stop(process: DeployProcess): Promise<void> {
    const record = this.#records.get(process);
    if (record === undefined || record.end !== undefined) return;
    record.stoppedAtMs = Date.now();
    const { ms, inTime } = await process.stop(workerGraceMs);
    this.longestStopMs = Math.max(this.longestStopMs, ms);
    if (!inTime) this.stoppedLate++;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#places.map(({ process }) => this.#stop(process)));
  }

  async kill(): Promise<void> {
    this.#stopping = true;
    const alive = [...this.#records].filter(([, { end }]) => end === undefined);
    await Promise.all(alive.map(([process]) => process.kill()));
  }
}
