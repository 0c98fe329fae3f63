import type { TaskEvent } from '../../src/core/task/event.ts';
import type { Head } from '../../src/core/task/head.ts';
import type { MemoryEngine } from '../../src/engines/memory/index.ts';
import { memory } from '../../src/engines/memory/index.ts';
import type { TaskId } from '../../src/ports/task-store.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { seededRandom } from '../../src/testing/random.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';
import { AssignedTasks } from './checks/assigned.ts';
import { checkAlone, checkBegin } from './checks/begin-rules.ts';
import { Census } from './checks/census.ts';
import { checkLeaseKept } from './checks/kept-leases.ts';
import { Ledger } from './checks/ledger.ts';
import type { ObservedProcess, WorkerSlots } from './checks/observed-process.ts';
import { PausedQueues } from './checks/paused-queues.ts';
import { Shadow } from './checks/shadow.ts';
import type { ShadowTask } from './checks/shadow-task.ts';
import type { Rules } from './checks/violation.ts';
import { ResultWaits } from './checks/waits.ts';
import { type Features, featuresOf } from './features.ts';
import { Tally } from './tally.ts';

/** Faults are injected until this time, in ms from the start of the simulated cluster. */
export const faultsEndMs = 90_000;

/** The time in ms after the last fault at which a simulated cluster counts as quiet: all leases of the fault are over. */
const settledAfterMs = 60_000;

export interface WorldOptions {
  readonly seed: number;
  /**
   * The names of invariants that are not checked, because they check exactly the condition that the mutant under test
   * removes.
   */
  readonly ignoredInvariants?: readonly string[] | undefined;
}

/** One simulated cluster. All its nodes and clients share one clock, one store and one seeded source of randomness. */
export class World {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly engine: MemoryEngine;
  readonly rules: Rules;
  readonly shadow: Shadow;
  /** The task id for each receipt handle that the broker returned. */
  readonly taskOfReceipt = new Map<string, TaskId>();
  readonly waits = new ResultWaits();
  readonly tally = new Tally();
  readonly census = new Census();
  readonly features: Features;
  readonly ledger = new Ledger({
    now: () => this.elapsedMs,
    holdsLease: ({ id, fencingToken }) => {
      const { state, fencingToken: current } = this.shadow.tasks.get(id)?.folded ?? {};
      return state === 'running' && current === fencingToken;
    },
  });
  readonly assigned = new AssignedTasks();
  readonly paused: PausedQueues;
  /** The workers whose free slots the invariants watch. */
  readonly workers = new Set<WorkerSlots>();
  /** The numbers of the tasks whose handlers end the process of their worker. */
  readonly poison = new Set<number>();
  /** When many submissions come at one moment, in clusters with bursts. */
  readonly burstAtMs: number;
  readonly nature: 'external' | 'transactional';
  /**
   * The first error of this simulated cluster: the violation of an invariant or another error. Undefined if there was
   * none.
   */
  failure: unknown;
  /** When a server was last stopped or ended, in ms from the start of the simulated cluster. */
  lastStopMs = Number.NEGATIVE_INFINITY;
  #disturbedUntilMs = Number.NEGATIVE_INFINITY;
  readonly #random: () => number;

  constructor({ seed, ignoredInvariants = [] }: WorldOptions) {
    this.seed = seed;
    this.#random = seededRandom(seed * 2_654_435_761 + 17);
    this.features = featuresOf(this.seed, (p) => this.chance(p));
    this.burstAtMs = this.between(5_000, 40_000);
    this.clock = virtualClock({ seed, turns: 'driven', shuffle: true });
    this.nature = seed % 3 === 0 ? 'transactional' : 'external';
    const open = this.nature === 'external' ? externalMemory : memory;
    this.engine = open({
      clock: this.clock,
      faults: {
        send: () => (this.injectFault('send failed', 0.01) ? 'failed' : this.#sentOrDoubled()),
        deliveryDelayMs: () => (this.injectFault('delivery delayed', 0.03) ? this.between(1, 4_000) : 0),
        indexLagMs: () => (this.isCalm ? 0 : this.between(0, 800)),
      },
    });
    const rules = {
      ignored: new Set(ignoredInvariants),
      now: () => this.clock.now(),
      census: this.census,
      tally: this.tally,
      ledger: this.ledger,
      assigned: this.assigned,
      onEvent: (task: ShadowTask, before: Head, event: TaskEvent) =>
        checkLeaseKept(this, task, before, event),
    };
    this.rules = rules;
    this.paused = new PausedQueues(this);
    this.shadow = new Shadow(rules);
  }

  get elapsedMs(): number {
    return this.clock.monotonic();
  }

  get hasFaults(): boolean {
    return this.elapsedMs < faultsEndMs;
  }

  /** True if nothing fails by chance at this time. */
  get isCalm(): boolean {
    return this.features.isOrderly || !this.hasFaults;
  }

  chance(p: number): boolean {
    return this.#random() < p;
  }

  /** Returns a random whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.between(0, items.length - 1)];
  }

  /** Returns how long, in ms, the next message travels over the simulated network. */
  latencyMs(): number {
    return this.between(1, this.injectFault('delayed message', 0.01) ? 8_000 : 20);
  }

  /**
   * Decides with probability `p` that a fault of this kind happens now, and counts the fault. Returns true if it happens.
   */
  injectFault(kind: string, p: number): boolean {
    if (this.isCalm || !this.chance(p)) return false;
    this.tally.countFault(kind);
    return true;
  }

  /**
   * Decides with probability `p` that an event other than a fault happens now, and counts the event. Returns true if
   * the event happens.
   */
  chooseEvent(what: string, p: number): boolean {
    if (!this.hasFaults || !this.chance(p)) return false;
    this.tally.countEvent(what);
    return true;
  }

  /** Records that a process ends, or stands still for this time in ms. */
  disturbed(ms: number): void {
    this.#disturbedUntilMs = Math.max(this.#disturbedUntilMs, this.elapsedMs + ms);
  }

  /** The time from which streams and heartbeats are as regular as they are without faults. */
  get quietFromMs(): number {
    return this.lastFaultMs + settledAfterMs;
  }

  /** The end of the last fault that is known now. Before the end of the faults it lies ahead. */
  get lastFaultMs(): number {
    return this.features.isOrderly ? this.#disturbedUntilMs : Math.max(this.#disturbedUntilMs, faultsEndMs);
  }

  /** Records that a handler is called. Returns a function that records that the handler has returned or thrown. */
  begin(process: ObservedProcess, id: TaskId, fencingToken: number): () => void {
    const { rules, ledger, assigned, shadow } = this;
    const parts = { rules, ledger, assigned, tasks: shadow.tasks };
    this.check(() => {
      checkBegin(parts, process, id, fencingToken);
      this.paused.checkBegin(id, fencingToken);
    });
    const begun = ledger.begin(process, id, fencingToken);
    this.check(() => checkAlone(parts, begun));
    return () => {
      if (!process.dead) ledger.end(begun);
    };
  }

  /** Runs a check of an invariant. A violation ends the simulated cluster, and not the code that is being checked. */
  check(run: () => void): void {
    try {
      run();
    } catch (violation) {
      this.fail(violation);
    }
  }

  fail(failure: unknown): void {
    this.failure ??= failure;
  }

  /** Runs work that no caller waits for. An error that the work throws ends the simulated cluster. */
  runInBackground(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.fail(thrown));
  }

  #sentOrDoubled(): 'sent' | 'doubled' {
    return this.injectFault('delivery doubled', 0.03) ? 'doubled' : 'sent';
  }
}
