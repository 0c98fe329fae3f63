import { isEnded } from '../core/task/head.ts';
import type { DispatchMessage, DispatchReason } from '../ports/broker.ts';
import type { LaneKey, Snapshot } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';

export function laneOf(snapshot: Snapshot): LaneKey | undefined {
  const { scope, orderingKey } = snapshot.submission;
  return orderingKey === undefined ? undefined : { tenant: scope.tenant, queue: scope.queue, orderingKey };
}

export function messageOf(snapshot: Snapshot, version: number, reason: DispatchReason): DispatchMessage {
  const { scope, options, type, typeVersion } = snapshot.submission;
  const queue = { tenant: scope.tenant, queue: scope.queue };
  return { id: snapshot.id, queue, priority: options.priority, type, typeVersion, version, reason };
}

/** Throws where the bell could not be rung: then whatever waits for it must not be acknowledged or cleared. */
export async function dispatch(
  context: ServiceContext,
  snapshot: Snapshot,
  version: number,
  reason: DispatchReason,
): Promise<void> {
  const [sent] = await context.broker.send([messageOf(snapshot, version, reason)]);
  if (sent !== true) throw sent ?? new RangeError('a ring without an answer');
}

/** True where the task is the first unfinished one of its lane, by a consistent read, or has no lane. */
export async function isLowest(context: ServiceContext, snapshot: Snapshot): Promise<boolean> {
  const lane = laneOf(snapshot);
  if (lane === undefined) return true;
  return (await context.store.lowest(lane))?.id === snapshot.id;
}

/**
 * Rings whatever is lowest in a lane, unless it has ended: then its own hand-over is due. It is rung even while it
 * waits for a time, since the sweep may just have passed over it as not the lowest.
 */
export async function dispatchLowest(
  context: ServiceContext,
  lane: LaneKey,
  reason: 'submit' | 'handOver',
): Promise<void> {
  const lowest = await context.store.lowest(lane);
  if (lowest === undefined) return;
  const [snapshot] = await context.store.read([lowest.id], context.clock.now());
  if (snapshot === undefined || isEnded(snapshot.head)) return;
  // Ended and redriven to the tail meanwhile: heard there it would be silenced, and this ring's id would swallow the
  // one that it is due once it is the lowest.
  if (snapshot.laneSeq !== lowest.seq) return dispatchLowest(context, lane, reason);
  // A submitter rings as if it were that task's first ring: the one who should have may have died before it.
  await dispatch(context, snapshot, reason === 'submit' ? 1 : snapshot.head.version, reason);
}

/**
 * An ended task leaves its lane and the next one is rung. A crash anywhere leaves the due entry, the sweep repeats
 * the steps, and all of them are idempotent.
 */
export async function handOver(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  const lane = laneOf(snapshot);
  if (lane !== undefined) {
    await context.store.leave(lane, snapshot.id, snapshot.laneSeq);
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
 * A task whose time has come: ring first, then clear, conditional on the exact revision that was read. A crash
 * between rings twice, never not at all. Not the lowest of its lane: only cleared, the hand-over rings it.
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
