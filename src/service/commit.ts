import type { Command, Rejection } from '../core/task/command.ts';
import { decide } from '../core/task/decide.ts';
import { type Facts, leaseExpiredAtMs } from '../core/task/decision.ts';
import type { TaskEvent } from '../core/task/event.ts';
import { type Head, isEnded, isReady } from '../core/task/head.ts';
import { taskFields } from '../ports/task-fields.ts';
import type { Snapshot, TaskId, Transition } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import { publishDeathNotice } from './dead-letters.ts';
import { handOver } from './hand-over.ts';
import { logLosses } from './log-losses.ts';
import { contended } from './rejections.ts';

/**
 * How often a command on a task is tried in total. If another writer changes the task first, the command is decided again;
 * after the last try it fails with CONFLICT.
 */
const maxTries = 8;

/** Returns the time before which the lease of a running task may not expire, once the end of the lease has passed. */
function expiresNotBeforeMs({ clock, leaseGrace }: ServiceContext, head: Head): number | undefined {
  if (head.state !== 'running') return undefined;
  const nowMs = clock.now();
  return nowMs < (head.leaseEndAtMs ?? 0) ? undefined : leaseGrace.notBeforeMs(nowMs);
}

export function factsOf(context: ServiceContext, snapshot: Snapshot): Facts {
  const { options, acceptedAtMs, expiresAtMs, scope } = snapshot.submission;
  return {
    options,
    acceptedAtMs,
    expiresAtMs,
    onDead: context.queues.of(scope).onDead,
    tip: snapshot.tip,
    expiresNotBeforeMs: expiresNotBeforeMs(context, snapshot.head),
  };
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

export type CommitResult =
  | { readonly kind: 'done'; readonly snapshot: Snapshot; readonly events: readonly TaskEvent[] }
  | { readonly kind: 'rejected'; readonly rejection: Rejection; readonly snapshot: Snapshot }
  | { readonly kind: 'notFound' };

/**
 * Decides a command on a task's snapshot, and writes the change if the task still has the revision of that snapshot. If
 * another writer changed the task first, the command is decided again on the current snapshot. Calls `afterCommit` after
 * the commit.
 */
export async function commitCommand(
  context: ServiceContext,
  read: Snapshot,
  command: Command,
  shape: (change: Transition, snapshot: Snapshot) => Transition = (change) => change,
): Promise<CommitResult> {
  let snapshot = read;
  for (let i = 0; i < maxTries; i++) {
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
      logLosses(context, snapshot, decision.events);
      context.metrics?.changed(snapshot, decision.events);
      afterCommit(context, done);
      return { kind: 'done', snapshot: done, events: decision.events };
    }
    if (outcome?.current === undefined) return { kind: 'notFound' };
    snapshot = outcome.current;
  }
  throw contended(read.id);
}

/**
 * Does all that must follow a committed change of a task: notifies the task's watchers, updates the lease
 * that this node keeps in memory, dispatches the next task of an ended task's lane, and publishes a
 * dead-letter notice if the task died. Call it once per commit. Each death of a task gives one notice,
 * because a dead task that changes is no longer dead.
 */
export function afterCommit(context: ServiceContext, snapshot: Snapshot): void {
  context.changeFeed.publish(snapshot.id);
  if (snapshot.head.state === 'running') context.heldLeases.update(snapshot.id, snapshot.head);
  if (snapshot.head.handOver) context.background('hand-over', handOver(context, snapshot));
  if (snapshot.head.state === 'dead') {
    if (snapshot.head.deadReason === 'workerLost') logWorkerLost(context, snapshot);
    publishDeathNotice(context, snapshot);
  }
}

/** Logs the death of a task by lost workers: no worker may be left that could log it. */
function logWorkerLost({ log }: ServiceContext, snapshot: Snapshot): void {
  const { id, head, submission } = snapshot;
  const { type } = submission;
  const { losses, lastError } = head;
  log.error(
    { ...taskFields(snapshot), losses, error: lastError },
    `task ${id} (${type}) is dead: its workers were lost; once the cause is fixed, run it again: holdfast redrive ${id}`,
  );
}

/**
 * Changes a delivery to fit the current state of its task: deletes the delivery if the task has ended or waits for a time,
 * hides it until the lease expires if the task is running, and makes it visible if the task is ready. Does nothing with a
 * transactional broker, because the store's commit changes its deliveries.
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

/** Reads one task. Returns undefined if the task does not exist or belongs to another tenant. */
export async function readTask(
  context: ServiceContext,
  tenant: string,
  id: TaskId,
): Promise<Snapshot | undefined> {
  const [snapshot] = await context.store.read([id], context.clock.now());
  return snapshot?.submission.scope.tenant === tenant ? snapshot : undefined;
}
