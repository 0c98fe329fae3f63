import type { Claimed, TaskEvent } from '../../../src/core/task/event.ts';
import { evolve } from '../../../src/core/task/evolve.ts';
import { type Head, isEnded } from '../../../src/core/task/head.ts';
import type {
  Acceptance,
  Accepted,
  Change,
  Outcome,
  Renewal,
  Snapshot,
  TaskId,
  Transition,
} from '../../../src/ports/task-store.ts';
import type { Tally } from '../tally.ts';
import type { Census } from './census.ts';
import { nameOf } from './event-name.ts';
import { differingField } from './fold-equals-head.ts';
import { LaneRules } from './lane-rules.ts';
import { type Seen, seenOf } from './seen.ts';
import { broken, type Rules } from './violation.ts';

/** Clocks are off by a second at most, so a lease taken a guard of two after its end is a second past it. */
const surelyExpiredMs = 1_000;
/** Whoever says that a time has come may be ahead by so much. */
const aheadMs = 1_000;

export interface ShadowRules extends Rules {
  readonly census: Census;
  readonly tally: Tally;
}

/** Judges every commit against the rules that hold at every moment. */
export class Shadow {
  readonly tasks = new Map<TaskId, Seen>();
  readonly #keys = new Map<string, TaskId>();
  readonly #lanes: LaneRules;
  readonly #rules: ShadowRules;
  commits = 0;

  constructor(rules: ShadowRules) {
    this.#rules = rules;
    this.#lanes = new LaneRules(rules);
  }

  accepted(batch: readonly Acceptance[], answers: readonly Accepted[]): void {
    for (const [i, answer] of answers.entries()) {
      if (answer.kind === 'fresh') this.#fresh(answer.snapshot, batch[i]?.claimed);
    }
  }

  appended(batch: readonly Change[], outcomes: readonly Outcome[]): void {
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.kind === 'done') this.#done(batch[i] as Change, outcome);
    }
  }

  /** `key` undefined: the SDK made it. */
  acknowledged(key: string | undefined, id: TaskId): void {
    const seen = this.tasks.get(id);
    if (seen === undefined) this.#broken('acknowledgedIsStored', `task ${id} was never committed`);
    if (key !== undefined && this.#keys.get(key) !== id)
      this.#broken('oneKeyOneTask', `${key} was answered with ${id}`);
    if (seen !== undefined) seen.acknowledged = true;
  }

  #broken(invariant: string, message: string): void {
    broken(this.#rules, invariant, message);
  }

  #fresh(snapshot: Snapshot, claimed: Claimed | undefined): void {
    const seen = seenOf(snapshot);
    this.commits++;
    if (this.#keys.has(seen.key)) this.#broken('oneKeyOneTask', `${seen.key} was accepted twice`);
    this.#keys.set(seen.key, seen.id);
    this.tasks.set(seen.id, seen);
    this.#rules.census.task(seen.lane);
    this.#lanes.joined(seen);
    if (claimed === undefined) return;
    this.#event(seen, claimed);
    seen.revision++;
    this.#stored(seen, snapshot.head);
  }

  #done(change: Change, outcome: Outcome & { kind: 'done' }): void {
    this.commits++;
    const seen = this.tasks.get(change.id);
    if (seen === undefined) {
      this.#broken('acknowledgedIsStored', `${change.id} was written, but never accepted`);
      return;
    }
    if (change.kind === 'renewal') this.#renewed(seen, change);
    else this.#transition(seen, change);
    seen.revision++;
    if (outcome.laneSeq !== undefined && outcome.laneSeq !== seen.laneSeq) {
      seen.laneSeq = outcome.laneSeq;
      this.#lanes.joined(seen);
    }
    this.#stored(seen, outcome.head);
  }

  #stored(seen: Seen, head: Head): void {
    seen.head = head;
    seen.leaseEndAtMs = head.leaseEndAtMs;
    const field = differingField(seen.folded, head);
    if (field !== undefined) this.#broken('foldEqualsHead', `${field} of ${seen.id}`);
  }

  #renewed(seen: Seen, { expect }: Renewal): void {
    const { state, fencingToken } = seen.folded;
    if (state !== 'running' || fencingToken !== expect.fencingToken)
      this.#broken('validTokenOrRevision', `a renewal of ${seen.id} without its lease`);
  }

  #transition(seen: Seen, change: Transition): void {
    const { expect } = change;
    const { state, fencingToken, version } = seen.folded;
    const valid =
      'revision' in expect
        ? expect.revision === seen.revision
        : state === 'running' && fencingToken === expect.fencingToken && version === expect.version;
    if (!valid) {
      const kinds = change.events.map((event) => event.kind).join(', ') || 'a clearing';
      this.#broken('validTokenOrRevision', `${kinds} of ${seen.id} (${state})`);
    }
    for (const event of change.events) this.#event(seen, event);
  }

  #event(seen: Seen, event: TaskEvent): void {
    const { folded } = seen;
    this.#rules.tally.happened(nameOf(folded, event));
    if (isEnded(folded)) this.#afterTheEnd(seen, event);
    if ('fencingToken' in event && event.fencingToken !== undefined && event.kind !== 'claimed') {
      if (folded.state !== 'running' || event.fencingToken !== folded.fencingToken)
        this.#broken('validTokenOrRevision', `${event.kind} of ${seen.id} by ${event.fencingToken}`);
    }
    if (event.kind === 'leaseExpired' && (seen.leaseEndAtMs ?? 0) + surelyExpiredMs > this.#rules.now())
      this.#broken('noValidLeaseIsTaken', `${seen.id} until ${seen.leaseEndAtMs}`);
    if (event.kind === 'claimed') this.#claimed(seen, event);
    if (event.kind === 'succeeded') seen.winners.push(event.fencingToken);
    seen.folded = evolve(folded, event);
    seen.failed ||= seen.folded.state === 'dead' || seen.folded.state === 'cancelled';
  }

  #afterTheEnd(seen: Seen, event: TaskEvent): void {
    const { folded } = seen;
    const wayOut = event.kind === 'redriven' || (event.kind === 'cancelled' && folded.holdsLane);
    if (folded.state !== 'dead' || !wayOut)
      this.#broken('endsExactlyOnce', `${event.kind} of ${seen.id}, which is ${folded.state}`);
  }

  #claimed(seen: Seen, { fencingToken, attempt, worker }: Claimed): void {
    const { folded, id } = seen;
    this.#rules.census.worker(worker);
    if (fencingToken <= folded.fencingToken) this.#broken('tokensRise', id);
    if (folded.state !== 'waiting') this.#broken('noValidLeaseIsTaken', `${id} was ${folded.state}`);
    if (attempt > seen.submission.options.retry.maxAttempts)
      this.#broken('attemptsAreBounded', `${id} begins attempt ${attempt}`);
    if ((folded.waitUntilMs ?? 0) > this.#rules.now() + aheadMs)
      this.#broken('nothingBeginsBeforeItsTime', `${id} waits until ${folded.waitUntilMs}`);
    this.#lanes.begun(seen);
  }
}
