import { timing } from '../../src/core/limits.ts';
import type { Submission } from '../../src/core/submission/submission.ts';
import type { Command, Decision, Settle } from '../../src/core/task/command.ts';
import { decide } from '../../src/core/task/decide.ts';
import { fold } from '../../src/core/task/evolve.ts';
import type { Head } from '../../src/core/task/head.ts';
import type { Engine } from '../../src/ports/engine.ts';
import type {
  Acceptance,
  AcceptOutcome,
  Change,
  Snapshot,
  TaskStore,
  Transition,
  WriteOutcome,
} from '../../src/ports/task-store.ts';
import type { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { type SubmissionRequest, submissionOf } from './submissions.ts';

/** An opened engine with the clock and the functions that tests need. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** The engine's clock. It moves only when a test advances it. */
  readonly clock: VirtualClock;
  /** Closes the engine and opens its store again, as the next process would. */
  readonly reopen: () => Promise<Engine>;
  readonly dispose?: () => Promise<void>;
}

const worker = 'w-1';

/**
 * A store under test, with one method for each change of a task. The function `decide` of `src/core` computes every
 * change.
 */
export class TaskFixture {
  readonly underTest: EngineUnderTest;
  engine: Engine;
  onDead: 'release' | 'hold' = 'release';
  #keys = 0;

  constructor(underTest: EngineUnderTest) {
    this.underTest = underTest;
    this.engine = underTest.engine;
  }

  get store(): TaskStore {
    return this.engine.store;
  }

  get broker(): Engine['broker'] {
    return this.engine.broker;
  }

  get clock(): VirtualClock {
    return this.underTest.clock;
  }

  get now(): number {
    return this.clock.now();
  }

  get transactionalDispatch(): boolean {
    return this.store.can.transactionalDispatch;
  }

  async reopen(): Promise<void> {
    this.engine = await this.underTest.reopen();
  }

  submission(request: SubmissionRequest = {}): Submission {
    return submissionOf(request, request.key ?? `key-${++this.#keys}`, this.now);
  }

  acceptance(request: SubmissionRequest = {}): Acceptance {
    const submission = this.submission(request);
    return { submission, head: fold([submission.submitted]) };
  }

  async accept(request: SubmissionRequest = {}): Promise<Snapshot> {
    const [accepted] = await this.store.accept([this.acceptance(request)]);
    if (accepted?.kind !== 'fresh') throw new Error(`not accepted: ${describe(accepted)}`);
    return accepted.snapshot;
  }

  /** Accepts `count` tasks in batches of 100. `request` returns the request of the task with a given index. */
  async acceptMany(
    count: number,
    request: (i: number) => SubmissionRequest = () => ({}),
  ): Promise<Snapshot[]> {
    const fresh: Snapshot[] = [];
    for (let from = 0; from < count; from += 100) {
      const batch = Array.from({ length: Math.min(100, count - from) }, (_, i) =>
        this.acceptance(request(from + i)),
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

  /** Returns the change of a task that a command makes, conditional on the task's revision. */
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

  /** Returns a change of a task's head that appends no event, conditional on the task's revision. */
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

  async append(change: Change): Promise<WriteOutcome> {
    const [outcome] = await this.store.append([change]);
    if (outcome === undefined) throw new Error('no outcome');
    return outcome;
  }

  async apply(change: Change): Promise<Snapshot> {
    const outcome = await this.append(change);
    if (outcome.kind !== 'done') throw new Error(`not done: ${outcome.kind}`);
    const [snapshot] = await this.store.read([change.id], this.now);
    if (snapshot === undefined) throw new Error(`no task ${change.id}`);
    return snapshot;
  }

  claimCommand(lowest = true): Command {
    const leaseSecret = this.clock.secret();
    return { kind: 'claim', worker, leaseMs: timing.leaseMs, leaseSecret, lowest, begins: true };
  }

  claim(task: Snapshot): Promise<Snapshot> {
    return this.apply(this.transition(task, this.claimCommand()));
  }

  settleCommand(task: Snapshot, outcome: Partial<Settle> = {}): Settle {
    const fencingToken = task.head.fencingToken;
    return { kind: 'settle', fencingToken, outcome: 'succeeded', resultBytes: 0, ...outcome } as Settle;
  }

  succeed(task: Snapshot, result?: Uint8Array): Promise<Snapshot> {
    const expect = { fencingToken: task.head.fencingToken, version: task.head.version };
    const command = this.settleCommand(task, { resultBytes: result?.length ?? 0 });
    return this.apply(this.transition(task, command, { expect, result }));
  }

  failCommand(task: Snapshot, outcome: 'failed' | 'fatal', afterMs?: number): Settle {
    return this.settleCommand(task, { outcome, message: 'no', errorType: 'Error', afterMs, random: 0.5 });
  }

  fail(task: Snapshot, afterMs = 1_000): Promise<Snapshot> {
    return this.apply(this.transition(task, this.failCommand(task, 'failed', afterMs)));
  }

  snooze(task: Snapshot, afterMs = 1_000): Promise<Snapshot> {
    return this.apply(this.transition(task, this.settleCommand(task, { outcome: 'snoozed', afterMs })));
  }

  async die(task: Snapshot): Promise<Snapshot> {
    const running = task.head.state === 'running' ? task : await this.claim(task);
    return this.apply(this.transition(running, this.failCommand(running, 'fatal')));
  }

  redrive(task: Snapshot, rejoinLane = false): Promise<Snapshot> {
    return this.apply(this.transition(task, { kind: 'redrive', actor: 'op' }, { rejoinLane }));
  }

  cancel(task: Snapshot): Promise<Snapshot> {
    return this.apply(this.transition(task, { kind: 'cancel', actor: 'op', message: 'stop' }));
  }

  /** Makes a scheduled task ready, as the sweep does when the task is due. */
  makeReady(task: Snapshot): Promise<Snapshot> {
    return this.apply(this.headChange(task, { waitUntilMs: undefined }));
  }

  /** Clears the due entry of an ended task, as the service does once the next task of the lane was dispatched. */
  finishHandOver(task: Snapshot): Promise<Snapshot> {
    return this.apply(this.headChange(task, { handOver: false }));
  }
}

function describe(accepted: AcceptOutcome | undefined): string {
  return accepted?.kind === 'failed' ? accepted.error.message : (accepted?.kind ?? 'no answer');
}
