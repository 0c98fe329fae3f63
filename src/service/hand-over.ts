import { HoldfastError } from '../core/errors.ts';
import { isSampled } from '../core/submission/traceparent.ts';
import { type Head, isEnded } from '../core/task/head.ts';
import type { DispatchMessage, DispatchReason } from '../ports/broker.ts';
import type { LaneKey, LanePointer, Snapshot } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import { tracedDispatch } from './dispatch-span.ts';

export function laneOf(snapshot: Snapshot): LaneKey | undefined {
  const { scope, orderingKey } = snapshot.submission;
  return orderingKey === undefined ? undefined : { tenant: scope.tenant, queue: scope.queue, orderingKey };
}

export function messageOf(snapshot: Snapshot, version: number, reason: DispatchReason): DispatchMessage {
  const { scope, options, type, typeVersion } = snapshot.submission;
  const queue = { tenant: scope.tenant, queue: scope.queue };
  return { id: snapshot.id, queue, priority: options.priority, type, typeVersion, version, reason };
}

/**
 * Sends a dispatch message for the task. Throws if the message could not be sent; the caller must then neither acknowledge
 * the task nor clear its due entry.
 */
export async function dispatch(
  context: ServiceContext,
  snapshot: Snapshot,
  version: number,
  reason: DispatchReason,
): Promise<void> {
  if (context.tracing.isOn && isSampled(snapshot.submission.traceparent))
    await tracedDispatch(context, snapshot, reason, () => send(context, snapshot, version, reason));
  else await send(context, snapshot, version, reason);
}

async function send(
  { broker }: ServiceContext,
  snapshot: Snapshot,
  version: number,
  reason: DispatchReason,
): Promise<void> {
  const [sent] = await broker.send([messageOf(snapshot, version, reason)]);
  if (sent !== true) throw sent ?? new RangeError('the broker returned no result for a dispatch message');
}

/** Returns true if the task has no lane or is the first unfinished task of its lane. */
export async function isLowest(context: ServiceContext, snapshot: Snapshot): Promise<boolean> {
  const lane = laneOf(snapshot);
  if (lane === undefined) return true;
  return snapshot.laneSeq !== undefined && (await context.store.isFirst(lane, snapshot.laneSeq));
}

/**
 * Returns the error of a hand-over while earlier places of the lane are being committed. A message for the task that was read
 * would be deleted on receipt, and its deduplication id would suppress the message that must be sent once the task is first.
 */
function placesInProgress(): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'Tasks of the lane are still being written.', {
    retryAfterMs: 1_000,
    help: 'The sweep repeats the hand-over.',
  });
}

/**
 * Sends a dispatch message for the first unfinished task of a lane. If that task has just ended, nothing is
 * sent, because the end of that task leads to the dispatch of the next task. A task that waits for a time gets
 * a message too: the sweep may have skipped the task just before it became the first of its lane.
 *
 * `accepted` is the task of a submission. The lane may not show its place yet, if the answer to the commit was lost; it
 * then counts as the lane's first task, because nothing else would dispatch it.
 */
export async function dispatchLowest(
  context: ServiceContext,
  lane: LaneKey,
  reason: 'submit' | 'handOver',
  accepted?: Snapshot,
): Promise<void> {
  const lowest = firstOf(await context.store.lowest(lane), accepted);
  if (lowest === undefined) return;
  const [snapshot] = await context.store.read([lowest.id], context.clock.now());
  if (snapshot === undefined || isEnded(snapshot.head)) return;
  // The lane's first task ended and was redriven to the end of the lane after the lane was read. A message
  // sent now would be deleted on receipt, and its deduplication id would suppress the message that must be
  // sent once the task is the first again.
  if (snapshot.laneSeq !== lowest.seq) return dispatchLowest(context, lane, reason);
  if (reason === 'handOver' && !(await context.store.isFirst(lane, lowest.seq))) {
    // That task may have ended since the lane was read, and have left its place.
    if ((await context.store.lowest(lane))?.seq === lowest.seq) throw placesInProgress();
    return dispatchLowest(context, lane, reason);
  }
  // A call that submits a task to a lane sends the first dispatch message (version 1) of the lane's first
  // unfinished task, because the submitter of that first task may have crashed before it sent the message.
  await dispatch(context, snapshot, reason === 'submit' ? 1 : snapshot.head.version, reason);
}

/** Returns the earlier one of the place that a lane shows first and the place of an accepted task. */
function firstOf(shown: LanePointer | undefined, accepted: Snapshot | undefined): LanePointer | undefined {
  if (accepted?.laneSeq === undefined) return shown;
  const isShown = shown !== undefined && shown.seq <= accepted.laneSeq;
  return isShown ? shown : { id: accepted.id, seq: accepted.laneSeq };
}

/** Returns true if the ended task ran at its present place, and so was the first of its lane. */
function hasRun({ state, attempt }: Head): boolean {
  return state === 'succeeded' || attempt > 0;
}

/**
 * Removes an ended task from its lane and dispatches the lane's next task. Every step is idempotent: after a crash the
 * ended task still has its due entry, by which the sweep finds it and repeats the steps.
 */
export async function handOver(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  const lane = laneOf(snapshot);
  if (lane !== undefined) {
    await context.store.leaveLane(lane, snapshot.id, snapshot.laneSeq, hasRun(snapshot.head));
    await dispatchLowest(context, lane, 'handOver');
  }
  const [outcome] = await context.store.append([
    {
      kind: 'transition',
      id: snapshot.id,
      expect: { revision: snapshot.head.revision },
      events: [],
      head: { ...snapshot.head, handOver: false },
      result: undefined,
      rejoinLane: false,
    },
  ]);
  if (outcome?.kind === 'failed') throw outcome.error;
}

/**
 * Makes a task ready whose start or retry time has come: sends the task's dispatch message, then clears its
 * due entry if the task still has the revision that was read. After a crash between the two steps the message
 * is sent twice, but it is never lost. If the task is not the first of its lane, the due entry is cleared
 * without a message, and the task is dispatched when the task before it has ended. Returns true if the due
 * entry was cleared.
 */
export async function makeReady(
  context: ServiceContext,
  snapshot: Snapshot,
  reason: 'due' | 'redrive',
): Promise<boolean> {
  if (await isLowest(context, snapshot)) await dispatch(context, snapshot, snapshot.head.version, reason);
  const [outcome] = await context.store.append([
    {
      kind: 'transition',
      id: snapshot.id,
      expect: { revision: snapshot.head.revision },
      events: [],
      head: { ...snapshot.head, waitUntilMs: undefined },
      result: undefined,
      rejoinLane: false,
    },
  ]);
  if (outcome?.kind === 'failed') throw outcome.error;
  return outcome?.kind === 'done';
}
