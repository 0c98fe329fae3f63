import type { TaskEvent } from '../../src/core/task/event.ts';
import { evolve } from '../../src/core/task/evolve.ts';
import { type Head, isEnded } from '../../src/core/task/head.ts';
import type { Change, Snapshot, Transition, WriteOutcome } from '../../src/ports/task-store.ts';
import { differingField } from '../simulation/checks/fold-equals-head.ts';
import { Violation } from '../simulation/checks/violation.ts';

function sameLane(a: Snapshot, b: Snapshot): boolean {
  return (
    a.id !== b.id &&
    a.submission.orderingKey !== undefined &&
    a.submission.orderingKey === b.submission.orderingKey
  );
}

/** Returns whether the task was redriven, which gave it a new place in its lane. */
function wasRedriven({ tip }: Snapshot): boolean {
  return tip.some((event) => event.kind === 'redriven');
}

function checkClaim(task: Snapshot, mates: readonly Snapshot[]): void {
  for (const mate of mates) {
    if (mate.head.state === 'running') throw new Violation('oneLeaseALane', `${task.id} beside ${mate.id}`);
    const earlier = (mate.laneSeq ?? 0) < (task.laneSeq ?? 0) && !wasRedriven(mate) && !wasRedriven(task);
    if (earlier && !isEnded(mate.head))
      throw new Violation('startOrderIsCommitOrder', `${task.id} before ${mate.id}`);
  }
}

function checkEvent(
  task: Snapshot,
  head: Head,
  event: TaskEvent,
  mates: readonly Snapshot[],
  nowMs: number,
): void {
  const { key } = task.submission.scope;
  if (isEnded(head)) {
    const frees = event.kind === 'cancelled' || event.kind === 'laneReleased';
    const mayFollowDead = event.kind === 'redriven' || (frees && head.holdsLane);
    if (head.state !== 'dead' || !mayFollowDead)
      throw new Violation('endsExactlyOnce', `${event.kind} of ${key}`);
  }
  if (event.kind === 'claimed') {
    if (head.state !== 'waiting' || event.fencingToken <= head.fencingToken)
      throw new Violation('noValidLeaseIsTaken', `${key} was ${head.state}`);
    checkClaim(task, mates);
  } else if ('fencingToken' in event && event.fencingToken !== undefined) {
    if (head.state !== 'running' || event.fencingToken !== head.fencingToken)
      throw new Violation('noStaleTokenChangesAnything', `${event.kind} of ${key} by ${event.fencingToken}`);
  }
  if (event.kind === 'leaseExpired' && (task.head.leaseEndAtMs ?? 0) > nowMs)
    throw new Violation(
      'noValidLeaseIsTaken',
      `${key} was leased for ${(task.head.leaseEndAtMs ?? 0) - nowMs} ms`,
    );
}

function conditionHolds({ head }: Snapshot, expect: Change['expect']): boolean {
  if ('revision' in expect) return expect.revision === head.revision;
  const version = 'version' in expect ? expect.version : head.version;
  return head.state === 'running' && expect.fencingToken === head.fencingToken && version === head.version;
}

function checkTransition(
  task: Snapshot,
  change: Transition,
  written: Head,
  tasks: readonly Snapshot[],
  nowMs: number,
): void {
  const mates = tasks.filter((mate) => sameLane(task, mate));
  let { head } = task;
  for (const event of change.events) {
    checkEvent(task, head, event, mates, nowMs);
    head = evolve(head, event);
  }
  const field = change.events.length === 0 ? undefined : differingField(head, written);
  if (field !== undefined) throw new Violation('foldEqualsHead', `${field} of ${task.id}`);
}

/**
 * Checks the outcomes of one `append` call of the store against the tasks before it. Throws a Violation with the rule
 * that was broken.
 */
export function checkAppend(
  tasks: readonly Snapshot[],
  changes: readonly Change[],
  outcomes: readonly WriteOutcome[],
  nowMs: number,
): void {
  for (const [i, change] of changes.entries()) {
    const outcome = outcomes[i];
    if (outcome?.kind !== 'done') continue;
    const task = tasks.find(({ id }) => id === change.id);
    if (task === undefined || !conditionHolds(task, change.expect))
      throw new Violation('noStaleTokenChangesAnything', `${change.kind} of ${change.id}`);
    if (change.kind === 'transition') checkTransition(task, change, outcome.head, tasks, nowMs);
  }
}
