import type { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { ServiceContext } from '../context.ts';
import type { ClaimRequest } from '../service.ts';
import { releaseUnacknowledged } from '../settle/settle.ts';
import { assignmentOf, claimDeliveries } from './claim-deliveries.ts';
import type { QueueTurns, TurnsByWorker } from './queue-turns.ts';
import type { LeaseReference, RecentClaims } from './recent-claims.ts';
import { withinTypeRoom } from './within-room.ts';

async function unpausedQueuesOf(
  context: ServiceContext,
  { tenant, queues, workerName }: ClaimRequest,
): Promise<QueueRef[]> {
  const open: QueueRef[] = [];
  for (const queue of queues) {
    const ref = { tenant, queue };
    await context.queues.look(ref);
    context.missingQueues.add(ref, workerName);
    if (!context.queues.of(ref).paused) open.push(ref);
  }
  return open;
}

/**
 * Receives deliveries for a claim request from its queues that are not paused. If all its queues are paused, or the node may
 * give out no leases, only waits for `waitMs`.
 */
async function receive(
  context: ServiceContext,
  request: ClaimRequest,
  turns: QueueTurns,
  waitMs: number,
  signal: AbortSignal,
): Promise<readonly Delivery[]> {
  const { types, maxTasks } = request;
  const queues = context.mayLease() ? turns.inTurn(await unpausedQueuesOf(context, request)) : [];
  if (queues.length === 0) {
    await context.clock.sleep(waitMs, signal);
    return [];
  }
  const bytes = limits.wireMessageBytes / 2;
  const roomOfType = roomOfTypeOf(request);
  const want = { types, room: () => ({ tasks: maxTasks, bytes }), roomOfType, waitMs, signal };
  const deliveries = await context.broker.receive(queues, want);
  turns.serve(deliveries, queues.length);
  return withinTypeRoom(context, deliveries, roomOfType);
}

/** Returns the limits of single task types of a claim request, or undefined if no type has a limit of its own. */
function roomOfTypeOf({ types, maxTasks }: ClaimRequest): ((type: string) => number) | undefined {
  const limited = types.filter(({ tasks }) => tasks !== undefined);
  if (limited.length === 0) return undefined;
  return (type) => limited.find((handled) => handled.type === type)?.tasks ?? maxTasks;
}

/**
 * Receives deliveries for a claim request. If a queue's configuration changes meanwhile, a new receive call with the new
 * configuration replaces the old one for the rest of the request's time.
 */
async function receiveWithCurrentSettings(
  context: ServiceContext,
  request: ClaimRequest,
  turns: QueueTurns,
): Promise<readonly Delivery[]> {
  const { clock, queues } = context;
  if (request.waitMs === 0) return receive(context, request, turns, 0, request.signal);
  const untilMs = clock.monotonic() + request.waitMs;
  const over = request.stopWaiting === undefined ? [request.signal] : [request.signal, request.stopWaiting];
  for (;;) {
    const changed = new AbortController();
    const unsubscribe = queues.onChange((refs) => {
      if (refs.some(({ tenant, queue }) => tenant === request.tenant && request.queues.includes(queue)))
        changed.abort();
    });
    try {
      const leftMs = Math.max(0, untilMs - clock.monotonic());
      const signal = AbortSignal.any([...over, changed.signal]);
      const deliveries = await receive(context, request, turns, leftMs, signal);
      const isOver = over.some(({ aborted }) => aborted) || clock.monotonic() >= untilMs;
      if (deliveries.length > 0 || isOver || !changed.signal.aborted) return deliveries;
    } finally {
      unsubscribe();
    }
  }
}

async function claimOnce(
  context: ServiceContext,
  request: ClaimRequest,
  turns: QueueTurns,
): Promise<readonly Assignment[]> {
  const { workerName, workerId, types } = request;
  const deliveries = await receiveWithCurrentSettings(context, request, turns);
  if (deliveries.length === 0) return [];
  const onRaceLost = (error: HoldfastError): void => request.onRaceLost?.(error);
  return claimDeliveries(context, deliveries, {
    worker: `${workerName}/${workerId}`,
    types,
    begins: true,
    runsAlone: false,
    sessionId: undefined,
    onRaceLost,
  });
}

/** Reads the tasks of an earlier claim request again, and returns the assignments whose leases are still held. */
async function reloadClaimed(
  context: ServiceContext,
  leases: readonly LeaseReference[],
): Promise<readonly Assignment[]> {
  const nowMs = context.clock.now();
  const ids = leases.map(({ id }) => id);
  const snapshots = await context.store.read(ids, nowMs);
  return leases.flatMap((lease, i) => {
    const snapshot = snapshots[i];
    if (snapshot === undefined) return [];
    const { receiptHandle } = lease;
    const { state, fencingToken, leaseEndAtMs = 0 } = snapshot.head;
    const isHeld = state === 'running' && fencingToken === lease.fencingToken && leaseEndAtMs > nowMs;
    return isHeld ? [assignmentOf(context, receiptHandle, snapshot, undefined)] : [];
  });
}

/**
 * Builds the key of a claim request from all fields that decide which tasks the request may get, so that only a repeat of
 * the request has the same key.
 */
function keyOf(request: ClaimRequest): string {
  const { tenant, caller, workerName, workerId, queues, types, maxTasks, requestId } = request;
  const handled = types.map(({ type, maxVersion, tasks }) => [type, maxVersion, tasks]);
  // The key is a JSON list, because any separator could be part of a name.
  return JSON.stringify([tenant, caller, workerName, workerId, queues, handled, maxTasks, requestId]);
}

/**
 * Claims tasks for a worker that polls instead of holding a stream. If the worker disconnects meanwhile, the tasks claimed
 * for it are released, unless the request has an id and can be repeated.
 */
export async function claim(
  context: ServiceContext,
  recent: RecentClaims,
  turnsByWorker: TurnsByWorker,
  request: ClaimRequest,
): Promise<readonly Assignment[]> {
  const turns = turnsByWorker.of(request.tenant, request.workerId);
  const ended = context.pollers.begin(request);
  return claimInTurn(context, recent, turns, request).finally(ended);
}

async function claimInTurn(
  context: ServiceContext,
  recent: RecentClaims,
  turns: QueueTurns,
  request: ClaimRequest,
): Promise<readonly Assignment[]> {
  if (request.requestId !== '') {
    return recent.once(keyOf(request), context.clock.monotonic(), {
      claim: () => claimOnce(context, request, turns),
      reload: (leases) => reloadClaimed(context, leases),
    });
  }
  const assigned = await claimOnce(context, request, turns);
  if (!request.signal.aborted) return assigned;
  context.background('release', releaseUnacknowledged(context, assigned));
  return [];
}
