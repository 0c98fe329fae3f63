import { timing } from '../../src/core/limits.ts';
import type { Submission } from '../../src/core/submission/submission.ts';
import type { Command, Decision, Settle } from '../../src/core/task/command.ts';
import { decide } from '../../src/core/task/decide.ts';
import { fold } from '../../src/core/task/evolve.ts';
import type { Head } from '../../src/core/task/head.ts';
import type { Engine } from '../../src/ports/engine.ts';
import type {
  Acceptance,
  Accepted,
  Change,
  Outcome,
  Snapshot,
  TaskStore,
  Transition,
} from '../../src/ports/task-store.ts';
import type { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { type Asked, submissionOf } from './submissions.ts';

export interface Opened {
  readonly engine: Engine;
  /** The engine's own; it stands still unless a test moves it. */
  readonly clock: VirtualClock;
  /** Closes the engine and opens what it left: a new process after the first. */
  readonly reopen: () => Promise<Engine>;
  readonly dispose?: () => Promise<void>;
}

const worker = 'w-1';

/** A store under test, and the lives of its tasks: every change is decided by the core. */
export class TaskBench {
  readonly opened: Opened;
  engine: Engine;
  onDead: 'release' | 'hold' = 'release';
  #keys = 0;

  constructor(opened: Opened) {
    this.opened = opened;
    this.engine = opened.engine;
  }

  get store(): TaskStore {
    return this.engine.store;
  }

  get broker(): Engine['broker'] {
    return this.engine.broker;
  }

  get clock(): VirtualClock {
    return this.opened.clock;
  }

  get now(): number {
    return this.clock.now();
  }

  get transactionalDispatch(): boolean {
    return this.store.can.transactionalDispatch;
  }

  async reopen(): Promise<void> {
    this.engine = await this.opened.reopen();
  }

  submission(asked: Asked = {}): Submission {
    return submissionOf(asked, asked.key ?? `key-${++this.#keys}`, this.now);
  }

  acceptance(asked: Asked = {}): Acceptance {
    const submission = this.submission(asked);
    return { submission, head: fold([submission.submitted]) };
  }

  async accept(asked: Asked = {}): Promise<Snapshot> {
    const [accepted] = await this.store.accept([this.acceptance(asked)]);
    if (accepted?.kind !== 'fresh') throw new Error(`not accepted: ${describe(accepted)}`);
    return accepted.snapshot;
  }

  /** Accepts so many, a batch at a time. */
  async acceptMany(count: number, asked: (i: number) => Asked = () => ({})): Promise<Snapshot[]> {
    const fresh: Snapshot[] = [];
    for (let from = 0; from < count; from += 100) {
      const batch = Array.from({ length: Math.min(100, count - from) }, (_, i) =>
        this.acceptance(asked(from + i)),
      );
      for (const accepted of await this.store.accept(batch)) {
        if (accepted.kind !== 'fresh') throw new Error(`not accepted: ${describe(accepted)}`);
        fresh.push(accepted.snapshot);
      }
    }
    return fresh;
  }

  async read(task: Snapshot): Promise<Snapshot> {
    const [snapshot] = await this.store.read([task.id], this.now);
    if (snapshot === undefined) throw new Error(`no task ${task.id}`);
    return snapshot;
  }

  decide(task: Snapshot, command: Command): Extract<Decision, { ok: true }> {
    const { options, acceptedAtMs, expiresAtMs } = task.submission;
    const facts = { options, acceptedAtMs, expiresAtMs, onDead: this.onDead, tip: task.tip };
    const decision = decide(task.head, facts, command, this.now);
    if (!decision.ok) throw new Error(`rejected: ${decision.rejection.why}`);
    return decision;
  }

  /** The change that a command makes of a task as it was read, conditional on that revision. */
  transition(task: Snapshot, command: Command, change: Partial<Transition> = {}): Transition {
    const { events, head } = this.decide(task, command);
    const expect = { revision: task.head.revision };
    return {
      kind: 'transition',
      id: task.id,
      expect,
      events,
      head,
      result: undefined,
      rejoinLane: false,
      ...change,
    };
  }

  /** A change of the head that is no event. */
  headChange(task: Snapshot, head: Partial<Head>): Transition {
    return {
      kind: 'transition',
      id: task.id,
      expect: { revision: task.head.revision },
      events: [],
      head: { ...task.head, ...head },
      result: undefined,
      rejoinLane: false,
    };
  }

  async append(change: Change): Promise<Outcome> {
    const [outcome] = await this.store.append([change]);
    if (outcome === undefined) throw new Error('no outcome');
    return outcome;
  }

  async done(change: Change): Promise<Snapshot> {
    const outcome = await this.append(change);
    if (outcome.kind !== 'done') throw new Error(`not done: ${outcome.kind}`);
    const [snapshot] = await this.store.read([change.id], this.now);
    if (snapshot === undefined) throw new Error(`no task ${change.id}`);
    return snapshot;
  }

  claimOf(lowest = true): Command {
    return { kind: 'claim', worker, leaseMs: timing.leaseMs, lowest };
  }

  claim(task: Snapshot): Promise<Snapshot> {
    return this.done(this.transition(task, this.claimOf()));
  }

  settleOf(task: Snapshot, outcome: Partial<Settle> = {}): Settle {
    const fencingToken = task.head.fencingToken;
    return { kind: 'settle', fencingToken, outcome: 'succeeded', resultBytes: 0, ...outcome } as Settle;
  }

  succeed(task: Snapshot, result?: Uint8Array): Promise<Snapshot> {
    const expect = { fencingToken: task.head.fencingToken, version: task.head.version };
    return this.done(this.transition(task, this.settleOf(task), { expect, result }));
  }

  failureOf(task: Snapshot, outcome: 'failed' | 'fatal', afterMs?: number): Settle {
    return this.settleOf(task, { outcome, message: 'no', errorType: 'Error', afterMs, random: 0.5 });
  }

  fail(task: Snapshot, afterMs = 1_000): Promise<Snapshot> {
    return this.done(this.transition(task, this.failureOf(task, 'failed', afterMs)));
  }

  snooze(task: Snapshot, afterMs = 1_000): Promise<Snapshot> {
    return this.done(this.transition(task, this.settleOf(task, { outcome: 'snoozed', afterMs })));
  }

  async die(task: Snapshot): Promise<Snapshot> {
    const running = task.head.state === 'running' ? task : await this.claim(task);
    return this.done(this.transition(running, this.failureOf(running, 'fatal')));
  }

  redrive(task: Snapshot, rejoinLane = false): Promise<Snapshot> {
    return this.done(this.transition(task, { kind: 'redrive', actor: 'op' }, { rejoinLane }));
  }

  cancel(task: Snapshot): Promise<Snapshot> {
    return this.done(this.transition(task, { kind: 'cancel', actor: 'op', message: 'stop' }));
  }

  /** What the sweep does once a waiting task's time has come. */
  makeReady(task: Snapshot): Promise<Snapshot> {
    return this.done(this.headChange(task, { waitUntilMs: undefined }));
  }

  /** What a hand-over does last. */
  handedOver(task: Snapshot): Promise<Snapshot> {
    return this.done(this.headChange(task, { handOver: false }));
  }
}

function describe(accepted: Accepted | undefined): string {
  return accepted?.kind === 'failed' ? accepted.error.message : (accepted?.kind ?? 'no answer');
}
