import type { Client } from '../../client/client.ts';
import type { WorkerSpec } from '../../client/contract/handler.ts';
import type { Logger } from '../../client/log.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ProcessClock } from '../../testing/process-clock.ts';
import type { FaultRequests } from '../faults.ts';
import { statusIfKept } from '../status.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkerSeatOptions {
  readonly spec: WorkerSpec | undefined;
  readonly log: Logger | undefined;
  readonly realWaitMs: number;
  readonly requests: FaultRequests;
  readonly client: Client;
  readonly newClock: () => ProcessClock;
  /** Resolves when everything that was sent has arrived. */
  readonly settle: () => Promise<void>;
  readonly connect: (clock: Clock) => Transport;
}

/** The place of the kit's worker: when the worker crashes, another one takes it. */
export class WorkerSeat {
  readonly #options: WorkerSeatOptions;
  /** The tasks whose attempts ended with a worker that crashed; each has a lease until it expires. */
  readonly #orphans = new Set<string>();
  #worker: WorkerProcess | undefined;
  #crashes = 0;

  constructor(options: WorkerSeatOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { spec, log, realWaitMs, requests, newClock, connect } = this.#options;
    if (spec === undefined) return;
    const worker: WorkerProcess = await WorkerProcess.start({
      ...{ spec, log, realWaitMs, connect },
      clock: newClock(),
      onBegun: (context) => requests.onBegun(context),
      onReturned: (context) => (requests.isDuplicated(context) ? this.#crash(worker) : undefined),
    });
    this.#worker = worker;
  }

  get inProgress(): number {
    return this.#worker?.attempts.inProgress ?? 0;
  }

  get changes(): number {
    return this.#crashes + (this.#worker?.attempts.changes ?? 0);
  }

  idsOf(type: string | undefined): readonly string[] {
    return this.#worker?.attempts.idsOf(type) ?? [];
  }

  takeRealWait(ms: number): boolean {
    return this.#worker?.attempts.takeRealWait(ms) ?? false;
  }

  async crash(): Promise<void> {
    if (this.#worker !== undefined) await this.#crash(this.#worker);
  }

  /** Returns true if a task still has the lease of a worker that crashed. */
  async hasOrphans(): Promise<boolean> {
    for (const id of this.#orphans) {
      const state = (await statusIfKept(this.#options.client, id))?.state;
      if (state === 'running' || state === 'reserved') return true;
      this.#orphans.delete(id);
    }
    return false;
  }

  async close(): Promise<void> {
    await this.#worker?.close();
  }

  async #crash(worker: WorkerProcess): Promise<void> {
    // A worker that crashes at once would not even have said that its attempt began, which the server then need not count.
    await this.#options.settle();
    if (this.#worker !== worker) return;
    for (const id of worker.attempts.ids) this.#orphans.add(id);
    this.#worker = undefined;
    this.#crashes += worker.attempts.changes + 1;
    await worker.kill();
    await this.start();
  }
}
