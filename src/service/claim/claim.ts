import type { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import type { ClaimRequest } from '../service.ts';
import { releaseUnacknowledged } from '../settle/settle.ts';
import { assignmentOf, claimDeliveries } from './claim-deliveries.ts';
import type { Claimed, RecentClaims } from './recent-claims.ts';

async function openOf(context: ServiceContext, { tenant, queues }: ClaimRequest): Promise<QueueRef[]> {
  const open: QueueRef[] = [];
  for (const queue of queues) {
    await context.queues.ensure({ tenant, queue });
    if (!context.queues.of({ tenant, queue }).paused) open.push({ tenant, queue });
  }
  return open;
}

/** Waits for a bell of those queues that are not paused; where all are, until that changes. */
async function receive(
  context: ServiceContext,
  request: ClaimRequest,
  waitMs: number,
  signal: AbortSignal,
): Promise<readonly Delivery[]> {
  const { types, maxTasks } = request;
  const queues = await openOf(context, request);
  if (queues.length === 0) {
    await context.clock.sleep(waitMs, signal);
    return [];
  }
  const bytes = limits.wireMessageBytes / 2;
  return context.broker.receive(queues, { types, room: () => ({ tasks: maxTasks, bytes }), waitMs, signal });
}

/** As `receive`; where a setting of a queue changes meanwhile, by the new ones for the rest of the time. */
async function receiveAsSet(context: ServiceContext, request: ClaimRequest): Promise<readonly Delivery[]> {
  const { clock, queues } = context;
  if (request.waitMs === 0) return receive(context, request, 0, request.signal);
  const untilMs = clock.monotonic() + request.waitMs;
  for (;;) {
    const changed = new AbortController();
    const stopListening = queues.onChange(() => changed.abort());
    try {
      const leftMs = Math.max(0, untilMs - clock.monotonic());
      const signal = AbortSignal.any([request.signal, changed.signal]);
      const deliveries = await receive(context, request, leftMs, signal);
      const isOver = request.signal.aborted || clock.monotonic() >= untilMs;
      if (deliveries.length > 0 || isOver || !changed.signal.aborted) return deliveries;
    } finally {
      stopListening();
    }
  }
}

async function claimOnce(context: ServiceContext, request: ClaimRequest): Promise<readonly Assignment[]> {
  const { workerName, workerId, types } = request;
  const deliveries = await receiveAsSet(context, request);
  if (deliveries.length === 0) return [];
  const lost = (error: HoldfastError): void => request.lost?.(error);
  return claimDeliveries(context, deliveries, {
    worker: `${workerName}/${workerId}`,
    types,
    sessionId: undefined,
    lost,
  });
}

/** What a claim was answered with, as far as its leases still hold. */
async function claimedAgain(
  context: ServiceContext,
  claimed: readonly Claimed[],
): Promise<readonly Assignment[]> {
  const nowMs = context.clock.now();
  const ids = claimed.map(({ id }) => id);
  const read = await context.store.read(ids, nowMs);
  return claimed.flatMap(({ fencingToken: claimedToken, receiptHandle }, i) => {
    const snapshot = read[i];
    if (snapshot === undefined) return [];
    const { state, fencingToken, leaseEndAtMs = 0 } = snapshot.head;
    const holds = state === 'running' && fencingToken === claimedToken && leaseEndAtMs > nowMs;
    return holds ? [assignmentOf(context, receiptHandle, snapshot)] : [];
  });
}

/** All that says what a caller may be given, so that nobody is answered with what another asked for. */
function keyOf(request: ClaimRequest): string {
  const { tenant, caller, workerName, workerId, queues, types, maxTasks, requestId } = request;
  const handled = types.map(({ type, maxVersion }) => [type, maxVersion]);
  // A list, since a separator could be part of a name.
  return JSON.stringify([tenant, caller, workerName, workerId, queues, handled, maxTasks, requestId]);
}

/** For workers that ask instead of holding a stream. Where the caller went away meanwhile, it is all released. */
export async function claim(
  context: ServiceContext,
  recent: RecentClaims,
  request: ClaimRequest,
): Promise<readonly Assignment[]> {
  if (request.requestId !== '') {
    return recent.once(keyOf(request), context.clock.now(), {
      claim: () => claimOnce(context, request),
      again: (claimed) => claimedAgain(context, claimed),
    });
  }
  const assigned = await claimOnce(context, request);
  if (!request.signal.aborted) return assigned;
  context.background('release', releaseUnacknowledged(context, assigned));
  return [];
}
