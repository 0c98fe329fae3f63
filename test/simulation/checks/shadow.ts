import type { ClaimedEvent, TaskEvent } from '../../../src/core/task/event.ts';
import { evolve } from '../../../src/core/task/evolve.ts';
import { type Head, isEnded } from '../../../src/core/task/head.ts';
import type {
  Acceptance,
  AcceptOutcome,
  Change,
  LeaseRenewal,
  Snapshot,
  TaskId,
  Transition,
  WriteOutcome,
} from '../../../src/ports/task-store.ts';
import type { Tally } from '../tally.ts';
import type { AssignedTasks } from './assigned.ts';
import { AttemptRules } from './attempt-rules.ts';
import type { Census } from './census.ts';
import { nameOf } from './event-name.ts';
import { differingField } from './fold-equals-head.ts';
import { LaneRules } from './lane-rules.ts';
import type { Ledger } from './ledger.ts';
import { type ShadowTask, shadowTaskOf } from './shadow-task.ts';
import { type Rules, reportViolation } from './violation.ts';

/**
 * When a node treats a lease as expired, the lease must have ended at least so many ms ago in true time. A node waits 2 s
 * after the end of a lease, and its clock is off by 1 s at most.
 */
const surelyExpiredMs = 1_000;
/** By how many ms the clock of a node that decides that a due time has come may be ahead of the true time. */
const aheadMs = 1_000;

export interface ShadowRules extends Rules {
  readonly census: Census;
  readonly tally: Tally;
  readonly ledger: Ledger;
  readonly assigned: AssignedTasks;
  /** Called after an event of a task was recorded, with the head before it. */
  onEvent?(task: ShadowTask, before: Head, event: TaskEvent): void;
}

/** Follows every commit of a simulated cluster and checks the invariants that must hold after each commit. */
export class Shadow {
  readonly tasks = new Map<TaskId, ShadowTask>();
  readonly #keys = new Map<string, TaskId>();
  readonly #lanes: LaneRules;
  readonly #attempts: AttemptRules;
  readonly #rules: ShadowRules;
  commits = 0;

  constructor(rules: ShadowRules) {
    this.#rules = rules;
    this.#lanes = new LaneRules(rules);
    this.#attempts = new AttemptRules(rules);
  }

  recordAccepted(batch: readonly Acceptance[], outcomes: readonly AcceptOutcome[]): void {
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.kind === 'fresh') this.#fresh(outcome.snapshot, batch[i]?.claimed);
    }
  }

  recordAppended(batch: readonly Change[], outcomes: readonly WriteOutcome[]): void {
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.kind === 'done') this.#done(batch[i] as Change, outcome);
    }
  }

  /** Records that a submission was acknowledged. `key` is undefined if the SDK generated the idempotency key. */
  recordAcknowledged(key: string | undefined, id: TaskId): void {
    const task = this.tasks.get(id);
    if (task === undefined) this.#violated('acknowledgedIsStored', `task ${id} was never committed`);
    if (key !== undefined && this.#keys.get(key) !== id)
      this.#violated('oneKeyOneTask', `${key} was answered with ${id}`);
    if (task !== undefined) task.acknowledged = true;
  }

  /** Returns true if the task has no lane, or if it is the one of its lane that may start. */
  isLowest(task: ShadowTask): boolean {
    return this.#lanes.isLowest(task);
  }

  #violated(invariant: string, message: string): void {
    reportViolation(this.#rules, invariant, message);
  }

  #fresh(snapshot: Snapshot, claimed: ClaimedEvent | undefined): void {
    const task = shadowTaskOf(snapshot);
    this.commits++;
    if (this.#keys.has(task.key)) this.#violated('oneKeyOneTask', `${task.key} was accepted twice`);
    this.#keys.set(task.key, task.id);
    this.tasks.set(task.id, task);
    this.#rules.census.task(task.lane);
    this.#lanes.checkJoin(task);
    if (claimed === undefined) return;
    this.#event(task, claimed);
    task.revision++;
    this.#stored(task, snapshot.head);
  }

  #done(change: Change, outcome: WriteOutcome & { kind: 'done' }): void {
    this.commits++;
    const task = this.tasks.get(change.id);
    if (task === undefined) {
      this.#violated('acknowledgedIsStored', `${change.id} was written, but never accepted`);
      return;
    }
    if (change.kind === 'renewal') this.#renewed(task, change);
    else this.#transition(task, change);
    task.revision++;
    if (outcome.laneSeq !== undefined && outcome.laneSeq !== task.laneSeq) {
      task.laneSeq = outcome.laneSeq;
      this.#lanes.checkJoin(task);
    }
    this.#stored(task, outcome.head);
  }

  #stored(task: ShadowTask, head: Head): void {
    task.head = head;
    task.leaseEndAtMs = head.leaseEndAtMs;
    const field = differingField(task.folded, head);
    if (field !== undefined) this.#violated('foldEqualsHead', `${field} of ${task.id}`);
  }

  #renewed(task: ShadowTask, { expect, begun }: LeaseRenewal): void {
    const claim = task.claims.get(expect.fencingToken);
    if (claim !== undefined) claim.isBegunStored ||= begun;
    const { state, fencingToken } = task.folded;
    if (state !== 'running' || fencingToken !== expect.fencingToken)
      this.#violated('validTokenOrRevision', `a renewal of ${task.id} without its lease`);
  }

  #transition(task: ShadowTask, change: Transition): void {
    const { expect } = change;
    const { state, fencingToken, version } = task.folded;
    const valid =
      'revision' in expect
        ? expect.revision === task.revision
        : state === 'running' && fencingToken === expect.fencingToken && version === expect.version;
    if (!valid) {
      const kinds = change.events.map((event) => event.kind).join(', ') || 'a clearing';
      this.#violated('validTokenOrRevision', `${kinds} of ${task.id} (${state})`);
    }
    for (const event of change.events) this.#event(task, event);
  }

  #event(task: ShadowTask, event: TaskEvent): void {
    const { folded } = task;
    this.#rules.tally.countEvent(nameOf(folded, event));
    if (isEnded(folded)) this.#checkAfterEnd(task, event);
    if ('fencingToken' in event && event.fencingToken !== undefined && event.kind !== 'claimed') {
      if (folded.state !== 'running' || event.fencingToken !== folded.fencingToken)
        this.#violated('validTokenOrRevision', `${event.kind} of ${task.id} by ${event.fencingToken}`);
    }
    if (event.kind === 'leaseExpired' && (task.leaseEndAtMs ?? 0) + surelyExpiredMs > this.#rules.now())
      this.#violated('noValidLeaseIsTaken', `${task.id} until ${task.leaseEndAtMs}`);
    if (event.kind === 'claimed') this.#claimed(task, event);
    if (event.kind === 'succeeded') task.winners.push(event.fencingToken);
    if (event.kind === 'snoozed' || event.kind === 'redriven') task.era++;
    task.wasRedriven ||= event.kind === 'redriven';
    task.folded = evolve(folded, event);
    this.#attempts.check(task, folded, event, task.folded);
    this.#rules.onEvent?.(task, folded, event);
    task.failed ||= task.folded.state === 'dead' || task.folded.state === 'cancelled';
  }

  #checkAfterEnd(task: ShadowTask, event: TaskEvent): void {
    const { folded } = task;
    const frees = event.kind === 'cancelled' || event.kind === 'laneReleased';
    const mayFollowDead = event.kind === 'redriven' || (frees && folded.holdsLane);
    if (folded.state !== 'dead' || !mayFollowDead)
      this.#violated('endsExactlyOnce', `${event.kind} of ${task.id}, which is ${folded.state}`);
  }

  #claimed(task: ShadowTask, { fencingToken, attempt, worker, begins }: ClaimedEvent): void {
    const { folded, id } = task;
    this.#rules.census.worker(worker);
    task.claims.set(fencingToken, { era: task.era, begins, isBegunStored: false });
    if (fencingToken <= folded.fencingToken) this.#violated('tokensRise', id);
    if (folded.state !== 'waiting') this.#violated('noValidLeaseIsTaken', `${id} was ${folded.state}`);
    if (attempt > task.submission.options.retry.maxAttempts)
      this.#violated('attemptsAreBounded', `${id} starts attempt ${attempt}`);
    if ((folded.waitUntilMs ?? 0) > this.#rules.now() + aheadMs)
      this.#violated('nothingBeginsBeforeItsTime', `${id} waits until ${folded.waitUntilMs}`);
    this.#lanes.checkStart(task);
  }
}
