import type { Command, Rejection } from '../core/task/command.ts';
import { decide } from '../core/task/decide.ts';
import { type Facts, leaseExpiredAtMs } from '../core/task/decision.ts';
import type { TaskEvent } from '../core/task/event.ts';
import { type Head, isEnded, isReady } from '../core/task/head.ts';
import type { Snapshot, TaskId, Transition } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import { tellDeath } from './dead-letters.ts';
import { handOver } from './hand-over.ts';
import { contended } from './rejections.ts';

/** A loser of a race reads what stands and decides again, but not for ever. */
const tries = 8;

export function factsOf(context: ServiceContext, snapshot: Snapshot): Facts {
  const { options, acceptedAtMs, expiresAtMs, scope } = snapshot.submission;
  return { options, acceptedAtMs, expiresAtMs, onDead: context.queues.of(scope).onDead, tip: snapshot.tip };
}

export function transition(snapshot: Snapshot, events: readonly TaskEvent[], head: Head): Transition {
  return {
    kind: 'transition',
    id: snapshot.id,
    expect: { revision: snapshot.head.revision },
    events,
    head,
    result: undefined,
    rejoinLane: false,
  };
}

export type Committed =
  | { readonly kind: 'done'; readonly snapshot: Snapshot; readonly events: readonly TaskEvent[] }
  | { readonly kind: 'rejected'; readonly rejection: Rejection; readonly snapshot: Snapshot }
  | { readonly kind: 'gone' };

/**
 * Decides a command on a snapshot and writes it, conditional on the exact revision that was read; whoever loses
 * the race decides again on what stands. Follows an end with the lane's hand-over.
 */
export async function commitCommand(
  context: ServiceContext,
  read: Snapshot,
  command: Command,
  shape: (change: Transition, snapshot: Snapshot) => Transition = (change) => change,
): Promise<Committed> {
  let snapshot = read;
  for (let i = 0; i < tries; i++) {
    const decision = decide(snapshot.head, factsOf(context, snapshot), command, context.clock.now());
    if (!decision.ok) return { kind: 'rejected', rejection: decision.rejection, snapshot };
    if (decision.events.length === 0) return { kind: 'done', snapshot, events: [] };
    const change = shape(transition(snapshot, decision.events, decision.head), snapshot);
    const [outcome] = await context.store.append([change]);
    if (outcome?.kind === 'failed') throw outcome.error;
    if (outcome?.kind === 'done') {
      const tip = [...snapshot.tip, ...decision.events];
      const laneSeq = outcome.laneSeq ?? snapshot.laneSeq;
      const done: Snapshot = { ...snapshot, head: outcome.head, laneSeq, tip };
      after(context, done);
      return { kind: 'done', snapshot: done, events: decision.events };
    }
    if (outcome?.current === undefined) return { kind: 'gone' };
    snapshot = outcome.current;
  }
  throw contended(read.id);
}

/**
 * What every committed change is followed by, once: watchers, the held lease, an ended task's lane, the notice of a death
 * (nothing changes a dead task and leaves it dead).
 */
export function after(context: ServiceContext, snapshot: Snapshot): void {
  context.feed.publish(snapshot.id);
  if (snapshot.head.state === 'running') context.held.update(snapshot.id, snapshot.head);
  if (snapshot.head.handOver) context.background('hand-over', handOver(context, snapshot));
  if (snapshot.head.state === 'dead') tellDeath(context, snapshot);
}

/**
 * Leaves a bell as its task's head says: silenced where the task has ended or waits for a time, hidden until the
 * lease's end where it runs, audible where it is ready. Where bells live in the commit they follow by themselves.
 */
export async function syncDelivery(
  context: ServiceContext,
  receiptHandle: string,
  { head, submission }: Pick<Snapshot, 'head' | 'submission'>,
): Promise<void> {
  if (context.store.can.transactionalDispatch || receiptHandle === '') return;
  const { scope } = submission;
  const nowMs = context.clock.now();
  if (isEnded(head)) await context.broker.delete([receiptHandle], scope);
  else if (head.state === 'running') {
    await context.broker.changeVisibility(
      [{ receiptHandle, ms: Math.max(0, leaseExpiredAtMs(head) - nowMs) }],
      scope,
    );
  } else if (isReady(head)) await context.broker.changeVisibility([{ receiptHandle, ms: 0 }], scope);
  else await context.broker.delete([receiptHandle], scope);
}

/** Reads one task of a tenant; undefined where there is none for this reader. */
export async function readOf(
  context: ServiceContext,
  tenant: string,
  id: TaskId,
): Promise<Snapshot | undefined> {
  const [snapshot] = await context.store.read([id], context.clock.now());
  return snapshot?.submission.scope.tenant === tenant ? snapshot : undefined;
}
