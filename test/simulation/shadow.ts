import type { TaskEvent } from '../../src/core/event.ts';
import { evolve, fold } from '../../src/core/evolve.ts';
import { type Head, isEnded } from '../../src/core/head.ts';
import type {
  Acceptance,
  Accepted,
  Change,
  Outcome,
  Renewal,
  TaskId,
  Transition,
} from '../../src/ports/task-store.ts';
import { differingField } from './fold-equals-head.ts';
import { Violation } from './violation.ts';

/** A task as the invariants see it: kept beside the store, out of committed writes alone. */
export interface Seen {
  readonly id: TaskId;
  readonly key: string;
  readonly lane: string | undefined;
  readonly laneSeq: number;
  /** The fold of its events. */
  folded: Head;
  revision: number;
  leaseEndAtMs: number | undefined;
  /** The store's, as last written. */
  head: Head;
  redriven: boolean;
  acknowledged: boolean;
  ends: number;
}

/** Clocks are off by a second at most, so a lease taken a guard of two after its end is a second past it. */
const surelySpentMs = 1_000;

/** Judges every commit against the rules that hold at every moment. */
export class Shadow {
  readonly tasks = new Map<TaskId, Seen>();
  readonly #keys = new Map<string, TaskId>();
  readonly #lanes = new Map<string, Seen[]>();
  readonly #now: () => number;
  commits = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  accepted(batch: readonly Acceptance[], answers: readonly Accepted[]): void {
    for (const [i, answer] of answers.entries()) {
      if (answer.kind === 'fresh') this.#fresh(batch[i] as Acceptance, answer);
    }
  }

  appended(batch: readonly Change[], outcomes: readonly Outcome[]): void {
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.kind === 'done') this.#done(batch[i] as Change, outcome.head);
    }
  }

  acknowledged(key: string, id: TaskId): void {
    const seen = this.tasks.get(id);
    if (seen === undefined) throw new Violation('acknowledgedIsStored', `task ${id} was never committed`);
    if (this.#keys.get(key) !== id) throw new Violation('oneKeyOneTask', `${key} was answered with ${id}`);
    seen.acknowledged = true;
  }

  #fresh({ submission, claimed }: Acceptance, answer: Accepted & { kind: 'fresh' }): void {
    const { id, head, laneSeq } = answer.snapshot;
    const { queue, key } = submission.scope;
    this.commits++;
    if (this.#keys.has(key)) throw new Violation('oneKeyOneTask', `${key} was accepted twice`);
    this.#keys.set(key, id);
    const lane = submission.orderingKey === undefined ? undefined : `${queue}/${submission.orderingKey}`;
    const seen: Seen = {
      id,
      key,
      lane,
      laneSeq: laneSeq ?? 0,
      folded: fold(claimed === undefined ? [submission.submitted] : [submission.submitted, claimed]),
      revision: claimed === undefined ? 1 : 2,
      leaseEndAtMs: head.leaseEndAtMs,
      head,
      redriven: false,
      acknowledged: false,
      ends: 0,
    };
    this.tasks.set(id, seen);
    if (lane === undefined) return;
    const mates = this.#lanes.get(lane) ?? [];
    this.#lanes.set(lane, mates);
    if ((mates.at(-1)?.laneSeq ?? 0) >= seen.laneSeq)
      throw new Violation('laneNumbersRise', `${id} in ${lane}`);
    mates.push(seen);
  }

  #done(change: Change, head: Head): void {
    this.commits++;
    const seen = this.tasks.get(change.id);
    if (seen === undefined) throw new Violation('acknowledgedIsStored', `${change.id} is nobody's task`);
    if (change.kind === 'renewal') this.#renewed(seen, change);
    else this.#transition(seen, change);
    seen.revision++;
    seen.head = head;
    seen.leaseEndAtMs = head.leaseEndAtMs;
    const field = differingField(seen.folded, head);
    if (field !== undefined) throw new Violation('foldEqualsHead', `${field} of ${seen.id}`);
  }

  #renewed(seen: Seen, { expect }: Renewal): void {
    const { state, fencingToken } = seen.folded;
    if (state !== 'running' || fencingToken !== expect.token)
      throw new Violation('validTokenOrRevision', `a renewal of ${seen.id} without its lease`);
  }

  #transition(seen: Seen, change: Transition): void {
    const { expect } = change;
    const { state, fencingToken, version } = seen.folded;
    const valid =
      'revision' in expect
        ? expect.revision === seen.revision
        : state === 'running' && fencingToken === expect.token && version === expect.version;
    if (!valid) {
      const kinds = change.events.map((event) => event.kind).join(', ') || 'a clearing';
      throw new Violation('validTokenOrRevision', `${kinds} of ${seen.id} (${state})`);
    }
    for (const event of change.events) this.#event(seen, event);
  }

  #event(seen: Seen, event: TaskEvent): void {
    const { folded } = seen;
    if (isEnded(folded)) this.#afterTheEnd(seen, event);
    if ('token' in event && event.token !== undefined && event.kind !== 'claimed') {
      if (folded.state !== 'running' || event.token !== folded.fencingToken)
        throw new Violation('validTokenOrRevision', `${event.kind} of ${seen.id} by ${event.token}`);
    }
    if (event.kind === 'leaseExpired' && (seen.leaseEndAtMs ?? 0) + surelySpentMs > this.#now())
      throw new Violation('noValidLeaseIsTaken', `${seen.id} until ${seen.leaseEndAtMs}`);
    if (event.kind === 'claimed') this.#claimed(seen, event.token);
    if (event.kind === 'redriven') seen.redriven = true;
    seen.folded = evolve(folded, event);
    if (isEnded(seen.folded) && !isEnded(folded)) seen.ends++;
  }

  #afterTheEnd(seen: Seen, event: TaskEvent): void {
    const { folded } = seen;
    const wayOut = event.kind === 'redriven' || (event.kind === 'cancelled' && folded.holdsLane);
    if (folded.state !== 'dead' || !wayOut)
      throw new Violation('endsExactlyOnce', `${event.kind} of ${seen.id}, which is ${folded.state}`);
  }

  #claimed(seen: Seen, token: number): void {
    if (token <= seen.folded.fencingToken) throw new Violation('tokensRise', seen.id);
    if (seen.folded.state !== 'waiting') throw new Violation('noValidLeaseIsTaken', `${seen.id} was running`);
    if (seen.lane === undefined) return;
    for (const mate of this.#lanes.get(seen.lane) ?? []) {
      if (mate === seen) continue;
      if (mate.folded.state === 'running')
        throw new Violation('oneLeaseALane', `${seen.id} beside ${mate.id} in ${seen.lane}`);
      const earlier = mate.laneSeq < seen.laneSeq && !mate.redriven && !seen.redriven;
      if (earlier && !isEnded(mate.folded))
        throw new Violation('startOrderIsCommitOrder', `${seen.id} before ${mate.id} in ${seen.lane}`);
    }
  }
}
