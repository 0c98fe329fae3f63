/** The processes of a run: API nodes, workers and submitters, and how two of them are killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Balancer, startBalancer } from '../../fixtures/balancer.ts';
import { Child } from './children.ts';
import { type Begun, readLedger } from './ledger.ts';
import type { Acknowledged, FromChild, SharedPlace, SubmitterTask } from './process-messages.ts';

const nodes = 2;
/** The worker that is to be killed gets so long to hold a few attempts. */
const holdMs = 5_000;
const heldWanted = 3;

export interface Cast {
  readonly submitters: number;
  /** How each worker gets its tasks: by polling SQS itself or from a node. The first one is killed. */
  readonly workers: readonly ('sqs' | 'grpc')[];
}

/** What all submitters together are to submit. */
export interface Work {
  readonly lanes: readonly string[];
  readonly tasksPerLane: number;
  readonly perSecond: number;
  /** So many may be unfinished at once. */
  readonly window: number;
  readonly cancelled: number;
}

/** A run's processes and what they told so far. */
export class Processes {
  readonly #cast: Cast;
  readonly #place: SharedPlace;
  readonly #dir = mkdtempSync(join(tmpdir(), 'holdfast-lanes-'));
  readonly #living = new Set<Child>();
  readonly #workers: { readonly child: Child; readonly ledger: string }[] = [];
  #balancer: Balancer | undefined;
  #nodes: Child[] = [];
  #submitters: Child[] = [];
  readonly acknowledged: Acknowledged[] = [];
  #succeeded = 0;
  held = 0;
  #submitted = 0;
  #failure: string | undefined;

  constructor(cast: Cast, place: SharedPlace) {
    this.#cast = cast;
    this.#place = place;
  }

  async start(): Promise<void> {
    this.#nodes = Array.from({ length: nodes }, (_, i) => this.#child(`node-${i}`, './node-process.ts'));
    const ports = await Promise.all(this.#nodes.map(async (node) => (await node.ready) ?? 0));
    this.#balancer = await startBalancer(ports);
    for (const [i, over] of this.#cast.workers.entries()) {
      const name = `worker-${i}-${over}`;
      const ledger = join(this.#dir, name);
      this.#workers.push({ child: this.#child(name, './worker-process.ts', over, ledger), ledger });
    }
    this.#submitters = Array.from({ length: this.#cast.submitters }, (_, i) =>
      this.#child(`submitter-${i}`, './submitter-process.ts'),
    );
    await Promise.all([...this.#living].map((child) => child.ready));
  }

  #child(name: string, file: string, ...args: string[]): Child {
    const place = { ...this.#place, address: this.#balancer?.address ?? '' };
    const child = new Child(name, file, place, [name, ...args], (told) => this.#receiveMessage(told));
    this.#living.add(child);
    return child;
  }

  #receiveMessage(told: FromChild): void {
    if (told.kind === 'acknowledged') this.acknowledged.push(...told.tasks);
    else if (told.kind === 'submitted') this.#submitted++;
    else if (told.kind === 'worked') this.#worked(told.succeeded);
    else if (told.kind === 'holding') this.held = told.attempts;
    else if (told.kind === 'failed') this.#failure ??= told.message;
  }

  get succeeded(): number {
    return this.#succeeded;
  }

  #worked(succeeded: number): void {
    this.#succeeded += succeeded;
    for (const child of this.#submitters) child.tell({ kind: 'succeeded', count: this.#succeeded });
  }

  /** Sets the submitters off; each has its share of every lane. */
  submit(work: Work): void {
    const { submitters } = this.#cast;
    this.#submitted = 0;
    for (const [submitter, child] of this.#submitters.entries()) {
      const task: SubmitterTask = {
        submitter,
        lanes: work.lanes,
        tasksPerLane: Math.floor((work.tasksPerLane + submitters - 1 - submitter) / submitters),
        share: 1 / submitters,
        perSecond: work.perSecond / submitters,
        window: work.window / submitters,
        cancelled: work.cancelled,
      };
      child.tell({ kind: 'submit', task });
    }
  }

  get allSubmitted(): boolean {
    return this.#submitted === this.#cast.submitters;
  }

  /** What went wrong in one of them. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async killNode(): Promise<void> {
    const [victim] = this.#nodes as [Child];
    await this.#end(victim, 'SIGKILL');
  }

  /** In the middle of attempts. */
  async killWorker(): Promise<void> {
    const { child } = this.#workers[0] as { child: Child };
    child.tell({ kind: 'hold' });
    const untilMs = performance.now() + holdMs;
    while (this.held < heldWanted && performance.now() < untilMs) await sleep(5);
    await this.#end(child, 'SIGKILL');
  }

  async #end(child: Child, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#living.delete(child);
    await child.end(signal);
  }

  begun(): Begun[] {
    return this.#workers.flatMap(({ child, ledger }) => readLedger(ledger, child.name));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#living].map((child) => this.#end(child, 'SIGKILL')));
    await this.#balancer?.close();
    this.#balancer = undefined;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
