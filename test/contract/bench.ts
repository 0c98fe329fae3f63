import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { Command, Decision, Settle } from '../../src/core/command.ts';
import { decide } from '../../src/core/decide.ts';
import type { HoldfastError } from '../../src/core/errors.ts';
import { fold } from '../../src/core/evolve.ts';
import type { Head } from '../../src/core/head.ts';
import { timing } from '../../src/core/limits.ts';
import {
  expiry,
  type OptionsRequest,
  resolveOptions,
  type Submission,
  submittedEvent,
} from '../../src/core/submission.ts';
import type { VirtualClock } from '../../src/platform/virtual-clock.ts';
import type { Bell, Ring, RingReason, Want } from '../../src/ports/bells.ts';
import type { Engine } from '../../src/ports/engine.ts';
import type {
  Acceptance,
  Accepted,
  Change,
  Filter,
  LaneKey,
  Outcome,
  QueueRef,
  Snapshot,
  TaskStore,
  Transition,
} from '../../src/ports/task-store.ts';

export interface Opened {
  readonly engine: Engine;
  /** The engine's own; it stands still unless a test moves it. */
  readonly clock: VirtualClock;
  /** Closes the engine and opens what it left: a new process after the first. */
  readonly reopen: () => Promise<Engine>;
  readonly dispose?: () => Promise<void>;
}

export interface Asked {
  readonly key?: string;
  readonly tenant?: string;
  readonly queue?: string;
  readonly type?: string;
  readonly typeVersion?: number;
  readonly orderingKey?: string | undefined;
  readonly payload?: Uint8Array;
  readonly options?: Partial<OptionsRequest>;
}

const noOptions: OptionsRequest = {
  runAtMs: undefined,
  delayMs: undefined,
  deadlineAtMs: undefined,
  lifetimeMs: undefined,
  retentionMs: undefined,
  windowMs: undefined,
  priority: undefined,
  retry: undefined,
  attemptTimeoutMs: undefined,
  tags: [],
  parentId: undefined,
  whenDead: undefined,
};

export const queue: QueueRef = { tenant: 'acme', queue: 'mail' };
const worker = 'w-1';

/** A store under test, and how its callers use it: every change is decided by the core. */
export class Bench {
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

  get bells(): Engine['bells'] {
    return this.engine.bells;
  }

  get clock(): VirtualClock {
    return this.opened.clock;
  }

  get now(): number {
    return this.clock.now();
  }

  get bellsInCommit(): boolean {
    return this.store.can.bellsInCommit;
  }

  async reopen(): Promise<void> {
    this.engine = await this.opened.reopen();
  }

  submission(asked: Asked = {}): Submission {
    const { type = 'send', typeVersion = 1, orderingKey } = asked;
    const bytes = asked.payload ?? new TextEncoder().encode('{"to":"ann"}');
    const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
    const options = resolveOptions({ ...noOptions, ...asked.options }, this.now);
    return {
      scope: {
        tenant: asked.tenant ?? queue.tenant,
        queue: asked.queue ?? queue.queue,
        key: asked.key ?? `key-${++this.#keys}`,
      },
      spec: encodeSpec({ type, typeVersion, orderingKey, payload }),
      type,
      typeVersion,
      orderingKey,
      options,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03',
      acceptedAtMs: this.now,
      expiresAtMs: expiry(options, this.now),
      submitted: submittedEvent(options, this.now, orderingKey),
    };
  }

  acceptance(asked: Asked = {}, supersedes?: Snapshot): Acceptance {
    const submission = this.submission(asked);
    return {
      submission,
      head: fold([submission.submitted]),
      supersedes: supersedes && { id: supersedes.id, revision: supersedes.head.revision },
    };
  }

  async accept(asked: Asked = {}, supersedes?: Snapshot): Promise<Snapshot> {
    const [accepted] = await this.store.accept([this.acceptance(asked, supersedes)]);
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
    const token = task.head.fencingToken;
    return { kind: 'settle', token, outcome: 'succeeded', resultBytes: 0, ...outcome } as Settle;
  }

  succeed(task: Snapshot, result?: Uint8Array): Promise<Snapshot> {
    const expect = { token: task.head.fencingToken, version: task.head.version };
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

  lane(orderingKey: string): LaneKey {
    return { ...queue, orderingKey };
  }

  ringOf(task: Snapshot, reason: RingReason = 'submit'): Ring {
    const { scope, options, type, typeVersion } = task.submission;
    const { version } = task.head;
    const ref = { tenant: scope.tenant, queue: scope.queue };
    return { id: task.id, queue: ref, priority: options.priority, type, typeVersion, version, reason };
  }

  /** Where bells are apart, what makes a ready task be heard; where they are in the commit, nothing. */
  async ringIfApart(tasks: readonly Snapshot[], reason: RingReason = 'submit'): Promise<void> {
    if (this.bellsInCommit) return;
    const rung = await this.bells.ring(tasks.map((task) => this.ringOf(task, reason)));
    if (!rung.every((one) => one === true)) throw new Error('not rung');
  }

  /** Accepted, and its bell rung. */
  async acceptRung(asked: Asked = {}): Promise<Snapshot> {
    const task = await this.accept(asked);
    await this.ringIfApart([task]);
    return task;
  }

  want(want: Partial<Want> & { tasks?: number; bytes?: number } = {}): Want {
    const { tasks = 10, bytes = 1_000_000 } = want;
    return {
      types: [{ type: 'send', maxVersion: 1 }],
      room: () => ({ tasks, bytes }),
      waitMs: 0,
      signal: new AbortController().signal,
      ...want,
    };
  }

  hear(
    want: Parameters<Bench['want']>[0] = {},
    queues: readonly QueueRef[] = [queue],
  ): Promise<readonly Bell[]> {
    return this.bells.receive(queues, this.want(want));
  }

  async hearOne(): Promise<Bell> {
    const [bell] = await this.hear({ tasks: 1 });
    if (bell === undefined) throw new Error('no bell');
    return bell;
  }

  /** Every page of a list; what each page examined. */
  async listAll(
    filter: Partial<Filter> = {},
    limit = 100,
  ): Promise<{ items: Snapshot[]; examined: number[] }> {
    const items: Snapshot[] = [];
    const examined: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.store.list({ ...queue, ...filter }, { limit, cursor, nowMs: this.now });
      items.push(...page.items);
      examined.push(page.examined);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return { items, examined };
  }

  /** Due entries of every shard. */
  async dueIds(nowMs = this.now, limit = 100): Promise<string[]> {
    const ids: string[] = [];
    for (let shard = 0; shard < this.store.dueShards; shard++) {
      for (const entry of await this.store.due(shard, nowMs, limit)) ids.push(entry.id);
    }
    return ids;
  }
}

function describe(accepted: Accepted | undefined): string {
  return accepted?.kind === 'failed' ? accepted.error.message : (accepted?.kind ?? 'no answer');
}

export function ids(snapshots: readonly (Snapshot | undefined)[]): (string | undefined)[] {
  return snapshots.map((snapshot) => snapshot?.id);
}

/** What a call was refused with. */
export async function refusal(call: Promise<unknown>): Promise<HoldfastError> {
  try {
    await call;
  } catch (error) {
    return error as HoldfastError;
  }
  throw new Error('was not refused');
}
