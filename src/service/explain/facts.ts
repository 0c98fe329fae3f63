import type { ExplainedTask, ExplainFacts, MessageFact, ThrottleFact } from '../../core/explain/facts.ts';
import { newestOf } from '../../core/explain/last-event.ts';
import { isEnded, isReady } from '../../core/task/head.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { laneOf } from '../hand-over.ts';
import { nextExaminedAtMs } from '../redrive/reconcile-schedule.ts';
import { workerFacts } from './worker-facts.ts';

/**
 * How long requests to a dependency must have been throttled or failed, in ms, before this counts as the cause for which a
 * task waits. A single throttled request is repeated within less.
 */
const troubledForMs = 2_000;
/** The time in ms after which SQS counts every message that was sent. */
const countedAfterMs = 60_000;

const nobody = { workers: [], areWorkersComplete: false } as const;

/** Returns the dependency that refuses or fails calls of this node now, if there is one. */
function throttleOf({ overload, clock }: ServiceContext): ThrottleFact | undefined {
  const nowMs = clock.now();
  for (const load of Object.values(overload?.view().dependencies ?? {})) {
    const { title, state, troubledSinceMs: sinceMs, retryAtMs } = load;
    const isTroubled = sinceMs !== undefined && nowMs - sinceMs >= troubledForMs;
    if (state !== 'closed' || isTroubled) return { dependency: title, sinceMs, retryAtMs };
  }
  return undefined;
}

/** Reads the first task of the task's lane, unless it has ended and its lane goes on. */
async function laneFrontOf(context: ServiceContext, snapshot: Snapshot): Promise<ExplainedTask | undefined> {
  const lane = laneOf(snapshot);
  const lowest = lane === undefined ? undefined : await context.store.lowest(lane);
  if (lowest === undefined || lowest.id === snapshot.id) return undefined;
  const [front] = await context.store.read([lowest.id], context.clock.now());
  return front === undefined || (isEnded(front.head) && !front.head.holdsLane) ? undefined : front;
}

/**
 * Returns whether the dispatch message of a ready task is lost. The messages of an embedded store are part of its commit. A
 * broker beside the store knows about how many messages a queue has, but not which: the message is lost if there is none.
 */
async function messageOf(context: ServiceContext, snapshot: Snapshot): Promise<MessageFact | undefined> {
  const { broker, store, clock } = context;
  const { submission, head } = snapshot;
  if (store.can.transactionalDispatch) return { isLost: false, resentAtMs: undefined };
  const nowMs = clock.now();
  if (broker.approximateMessages === undefined || nowMs - head.lastEventAtMs < countedAfterMs)
    return undefined;
  const { tenant, queue } = submission.scope;
  const count = await broker.approximateMessages({ tenant, queue }).catch(() => undefined);
  const sinceMs = newestOf(snapshot, 'redriven')?.atMs ?? submission.acceptedAtMs;
  return count === 0 ? { isLost: true, resentAtMs: nextExaminedAtMs(sinceMs, nowMs) } : undefined;
}

/**
 * Reads all that decides why a task has not completed: at most the workers' announcements, the first task of its lane and,
 * for a task that has been ready for a minute beside SQS, the number of its queue's messages. Ended tasks need no read.
 */
export async function factsFor(context: ServiceContext, snapshot: Snapshot): Promise<ExplainFacts> {
  const { clock, heldLeases, leaseGrace, queues } = context;
  const { id, head, submission } = snapshot;
  const waits = head.state === 'waiting';
  const laneFront = waits ? await laneFrontOf(context, snapshot) : undefined;
  const mayBegin = isReady(head) && laneFront === undefined;
  const [workers, message] = await Promise.all([
    waits ? workerFacts(context, submission) : nobody,
    mayBegin ? messageOf(context, snapshot) : undefined,
  ]);
  const nowMs = clock.now();
  const held = head.state === 'running' ? heldLeases.get(id, head.fencingToken) : undefined;
  return {
    nowMs,
    isQueuePaused: queues.of(submission.scope).paused,
    ...workers,
    laneFront,
    throttle: throttleOf(context),
    message,
    lastHeartbeatAtMs: held?.lastReportAtMs,
    begun: held?.begun === true,
    noExpiryBeforeMs: leaseGrace.notBeforeMs(nowMs),
  };
}
