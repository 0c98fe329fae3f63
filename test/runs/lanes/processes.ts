/** The processes of a run of `npm run lanes`: API nodes, workers and submitters, and how two of them are killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Balancer, startBalancer } from '../../fixtures/balancer.ts';
import { LaneChild } from './lane-child.ts';
import { type AttemptRecord, readLedger } from './ledger.ts';
import type { Acknowledgement, LaneReport, LaneStoreAddress, SubmitterPlan } from './process-messages.ts';

const nodes = 2;
/** The longest time to wait until the worker that will be killed holds a few attempts. */
const holdMs = 5_000;
const heldWanted = 3;

export interface ProcessSetup {
  readonly submitters: number;
  /**
   * Each worker's source of tasks: SQS, which it polls itself, or an API node over gRPC. The first worker is killed.
   */
  readonly workers: readonly ('sqs' | 'grpc')[];
}

/** The tasks that all submitters submit together. */
export interface SubmissionPlan {
  readonly lanes: readonly string[];
  readonly tasksPerLane: number;
  readonly perSecond: number;
  /** The largest number of tasks that may be unfinished at once. */
  readonly window: number;
  readonly cancelled: number;
}

/** The processes of a run of `npm run lanes`, and the sums of their reports so far. */
export class Processes {
  readonly #setup: ProcessSetup;
  readonly #store: LaneStoreAddress;
  readonly #dir = mkdtempSync(join(tmpdir(), 'holdfast-lanes-'));
  readonly #living = new Set<LaneChild>();
  readonly #workers: { readonly child: LaneChild; readonly ledger: string }[] = [];
  #balancer: Balancer | undefined;
  #nodes: LaneChild[] = [];
  #submitters: LaneChild[] = [];
  readonly acknowledged: Acknowledgement[] = [];
  #succeeded = 0;
  held = 0;
  #submitted = 0;
  #failure: string | undefined;

  constructor(setup: ProcessSetup, store: LaneStoreAddress) {
    this.#setup = setup;
    this.#store = store;
  }

  async start(): Promise<void> {
    this.#nodes = Array.from({ length: nodes }, (_, i) => this.#child(`node-${i}`, './node-process.ts'));
    const ports = await Promise.all(this.#nodes.map(async (node) => (await node.ready) ?? 0));
    this.#balancer = await startBalancer(ports);
    for (const [i, over] of this.#setup.workers.entries()) {
      const name = `worker-${i}-${over}`;
      const ledger = join(this.#dir, name);
      this.#workers.push({ child: this.#child(name, './worker-process.ts', over, ledger), ledger });
    }
    this.#submitters = Array.from({ length: this.#setup.submitters }, (_, i) =>
      this.#child(`submitter-${i}`, './submitter-process.ts'),
    );
    await Promise.all([...this.#living].map((child) => child.ready));
  }

  #child(name: string, file: string, ...args: string[]): LaneChild {
    const address = { ...this.#store, api: this.#balancer?.address ?? '' };
    const child = new LaneChild(name, file, address, [name, ...args], (report) => this.#receive(report));
    this.#living.add(child);
    return child;
  }

  #receive(report: LaneReport): void {
    if (report.kind === 'acknowledged') this.acknowledged.push(...report.tasks);
    else if (report.kind === 'submitted') this.#submitted++;
    else if (report.kind === 'worked') this.#addSucceeded(report.succeeded);
    else if (report.kind === 'holding') this.held = report.attempts;
    else if (report.kind === 'failed') this.#failure ??= report.message;
  }

  get succeeded(): number {
    return this.#succeeded;
  }

  #addSucceeded(succeeded: number): void {
    this.#succeeded += succeeded;
    for (const child of this.#submitters) child.send({ kind: 'succeeded', count: this.#succeeded });
  }

  /** Starts all submitters, each with its share of every lane. */
  submit(total: SubmissionPlan): void {
    const { submitters } = this.#setup;
    this.#submitted = 0;
    for (const [submitter, child] of this.#submitters.entries()) {
      const plan: SubmitterPlan = {
        submitter,
        lanes: total.lanes,
        tasksPerLane: Math.floor((total.tasksPerLane + submitters - 1 - submitter) / submitters),
        share: 1 / submitters,
        perSecond: total.perSecond / submitters,
        window: total.window / submitters,
        cancelled: total.cancelled,
      };
      child.send({ kind: 'submit', plan });
    }
  }

  get allSubmitted(): boolean {
    return this.#submitted === this.#setup.submitters;
  }

  /** The first failure that a process reported. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async killNode(): Promise<void> {
    const [victim] = this.#nodes as [LaneChild];
    await this.#end(victim, 'SIGKILL');
  }

  /** Kills the first worker while it holds attempts. */
  async killWorker(): Promise<void> {
    const { child } = this.#workers[0] as { child: LaneChild };
    child.send({ kind: 'hold' });
    const untilMs = performance.now() + holdMs;
    while (this.held < heldWanted && performance.now() < untilMs) await sleep(5);
    await this.#end(child, 'SIGKILL');
  }

  async #end(child: LaneChild, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#living.delete(child);
    await child.end(signal);
  }

  attempts(): AttemptRecord[] {
    return this.#workers.flatMap(({ child, ledger }) => readLedger(ledger, child.name));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#living].map((child) => this.#end(child, 'SIGKILL')));
    await this.#balancer?.close();
    this.#balancer = undefined;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
