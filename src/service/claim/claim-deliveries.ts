import { encodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type HandledType, handlesType } from '../../core/handled-type.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Decision } from '../../core/task/command.ts';
import { lostRace } from '../../core/task/conflict.ts';
import { decide } from '../../core/task/decide.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { isEnded, runsAlone } from '../../core/task/head.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { Snapshot, Transition, WriteOutcome } from '../../ports/task-store.ts';
import { afterCommit, factsOf, syncDelivery, transition } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { isLowest } from '../hand-over.ts';
import { logLosses } from '../log-losses.ts';
import type { ReadResult } from '../read-each.ts';
import { noticeExpiry } from '../session/notice-expiry.ts';
import { knowledgeOf } from '../settle/held-leases.ts';
import { isClaimedAlone, logAlone, withoutCompany } from './alone.ts';
import { traceClaim } from './claim-span.ts';
import type { AdmittedClaims, OnlyTask } from './only-task.ts';
import { type ReadAhead, readSnapshots } from './read-ahead.ts';
import {
  deferUnhandled,
  deferUnknown,
  isMisplaced,
  rerouteMisplaced,
  resend,
  returnDeliveries,
  returnUnread,
  settleDelivery,
  showAgain,
} from './return-deliveries.ts';
import { isUnanswered, releaseUnanswered, type UnansweredClaim } from './unanswered-claims.ts';

/** The worker for which tasks are claimed. */
export interface Claimant {
  /** The worker's name and id. */
  readonly worker: string;
  readonly types: readonly HandledType[];
  /**
   * True if the worker calls its handler for each task at once; false if it may keep tasks in a buffer first.
   */
  readonly begins: boolean;
  /** True if the worker keeps a task that must run alone until nothing else runs in it, and reports its beginning. */
  readonly runsAlone: boolean;
  /** Decides which tasks a stream gets whose worker does not do so; undefined for other claimants. */
  readonly only?: OnlyTask | undefined;
  /** Undefined for a single claim call, which takes a task that must run alone as its only task. */
  readonly sessionId: string | undefined;
  /** The reads of tasks that were begun when their messages were received, before there was room for them. */
  readonly readAhead?: ReadAhead | undefined;
  /** Called once for each task that another worker claimed first; the error names that worker. */
  onRaceLost?(error: HoldfastError): void;
}

/**
 * How often the claim of a task is tried in total. If another writer changes the task first, the claim is decided again on
 * the task's current snapshot.
 */
const maxTries = 3;

type Candidate = { readonly delivery: Delivery; readonly snapshot: Snapshot };

function handles({ types }: Claimant, { submission: { type, typeVersion } }: Snapshot): boolean {
  return handlesType(types, type, typeVersion);
}

/**
 * Builds the message that assigns a claimed task to its worker. `receiptHandle` is empty if the broker is transactional;
 * `startedAtMs` is when the claim began, on the monotonic clock, if that was earlier than now.
 */
export function assignmentOf(
  context: ServiceContext,
  receiptHandle: string,
  snapshot: Snapshot,
  startedAtMs: number | undefined,
): Assignment {
  const { head, submission, id } = snapshot;
  const nowMs = context.clock.now();
  const timeoutAtMs = head.timeoutAtMs ?? nowMs;
  const trace = traceClaim(context, snapshot, startedAtMs);
  return {
    id,
    lease: encodeLease({
      id,
      fencingToken: head.fencingToken,
      secret: head.leaseSecret,
      version: head.version,
      timeoutAtMs,
      receiptHandle,
    }),
    spec: submission.spec,
    attempt: head.attempt,
    maxAttempts: submission.options.retry.maxAttempts,
    fencingToken: head.fencingToken,
    key: submission.scope.key,
    queue: submission.scope.queue,
    tenant: submission.scope.tenant,
    leaseMs: Math.max(0, (head.leaseEndAtMs ?? nowMs) - nowMs),
    timeoutMs: submission.options.attemptTimeoutMs,
    deadlineInMs: head.deadlineAtMs === undefined ? 0 : Math.max(1, head.deadlineAtMs - nowMs),
    traceparent: submission.traceparent,
    parentId: submission.options.parentId ?? '',
    tags: submission.options.tags,
    alone: runsAlone(head),
    losses: head.losses,
    recordsBegin: head.releases > 0,
    attemptTraceparent: trace.attemptTraceparent,
    queuedMs: trace.queuedMs,
  };
}

const noSnapshots: ReadonlyMap<Delivery, ReadResult> = new Map();

/**
 * Reads the tasks of the deliveries that carry no snapshot. Returns the deliveries whose tasks the worker may claim, and
 * hides, deletes or reroutes the others. Deliveries of a queue that was paused since their receive are shown again. A
 * delivery that was received too often (`limits.deliveryReceives`) is also replaced with a new message.
 */
async function loadCandidates(
  context: ServiceContext,
  deliveries: readonly Delivery[],
  claimant: Claimant,
): Promise<Candidate[]> {
  const unread = deliveries.filter((delivery) => delivery.snapshot === undefined);
  const { readAhead } = claimant;
  const read = unread.length === 0 ? noSnapshots : await readSnapshots(context, unread, readAhead);
  const candidates: Candidate[] = [];
  const paused: Delivery[] = [];
  for (const delivery of deliveries) {
    const found = delivery.snapshot ?? read.get(delivery);
    if (found === undefined) context.background('unknown delivery', deferUnknown(context, delivery));
    else if (found instanceof HoldfastError) {
      // A damaged task may be repaired later, so its delivery is hidden for a while, like a delivery whose task type this
      // worker does not handle.
      context.log.error(
        { task_id: delivery.message.id, err: found },
        'the task of a delivery is damaged in the store; the delivery will be received again',
      );
      context.background('delivery', deferUnhandled(context, delivery));
    } else if (isMisplaced(delivery, found))
      context.background('delivery', rerouteMisplaced(context, delivery, found));
    else if (!handles(claimant, found) && !isEnded(found.head))
      context.background('delivery', deferUnhandled(context, delivery));
    else if (context.queues.of(found.submission.scope).paused) paused.push(delivery);
    else candidates.push({ delivery, snapshot: found });
    if (delivery.receiveCount >= limits.deliveryReceives)
      context.background('delivery', resend(context, delivery));
  }
  context.background('delivery', showAgain(context, paused));
  return candidates;
}

/** A claim of a task that is decided but not written yet. */
type PlannedClaim = { readonly candidate: Candidate; readonly change: Transition };

function planClaim(
  context: ServiceContext,
  one: Candidate,
  claimant: Claimant,
  lowest: boolean,
): PlannedClaim | undefined {
  const { worker } = claimant;
  const lastLease = knowledgeOf(context, one.snapshot);
  const facts = factsOf(context, one.snapshot);
  const nowMs = context.clock.now();
  const leaseSecret = context.clock.secret();
  const decided = (begins: boolean): Decision =>
    decide(
      one.snapshot.head,
      facts,
      { kind: 'claim', worker, leaseMs: timing.leaseMs, leaseSecret, lowest, begins, lastLease },
      nowMs,
    );
  let decision = decided(claimant.begins);
  if (claimant.begins && claimant.runsAlone && decision.ok && isClaimedAlone(decision.head))
    decision = decided(false);
  if (decision.ok && mayTake(context, one, decision.events, claimant))
    return { candidate: one, change: transition(one.snapshot, decision.events, decision.head) };
  if (decision.ok) return undefined;
  context.background('delivery', settleDelivery(context, one.delivery, decision.rejection));
  return undefined;
}

/**
 * Returns false if the claim would give the task to the very stream whose lease of it has expired: its worker does not
 * answer, so the delivery is left to another one. The stream gets no task until the worker sends a message on it. That
 * happens once for each lease: a worker that is back may have the task again.
 */
function mayTake(
  context: ServiceContext,
  { delivery, snapshot }: Candidate,
  events: readonly TaskEvent[],
  claimant: Claimant,
): boolean {
  const sessionId = noticeExpiry(context, snapshot);
  if (sessionId === undefined || sessionId !== claimant.sessionId || events.at(-1)?.kind !== 'claimed')
    return true;
  const { receiptHandle } = delivery;
  context.background('delivery', context.broker.changeVisibility([{ receiptHandle, ms: 0 }]));
  return false;
}

async function planClaims(
  context: ServiceContext,
  candidates: readonly Candidate[],
  claimant: Claimant,
): Promise<PlannedClaim[]> {
  const planned: PlannedClaim[] = [];
  for (const one of candidates) {
    // Only a task with an ordering key needs a read of the first unfinished task of its lane.
    const lowest = one.snapshot.head.inLane ? await isLowest(context, one.snapshot) : true;
    const claim = planClaim(context, one, claimant, lowest);
    if (claim !== undefined) planned.push(claim);
  }
  return planned;
}

/**
 * Returns the assignment of a claimed task. If the claim ended the task instead (the task had expired or had no attempts
 * left), updates its delivery with `syncDelivery` and returns undefined.
 */
function concludeClaim(
  context: ServiceContext,
  one: PlannedClaim,
  outcome: WriteOutcome & { kind: 'done' },
  claimant: Claimant,
  startedAtMs: number,
): Assignment | undefined {
  const { delivery, snapshot } = one.candidate;
  const { events } = one.change;
  const tip = events.length === 0 ? snapshot.tip : [...snapshot.tip, ...events];
  const done: Snapshot = { ...snapshot, head: outcome.head, tip };
  logLosses(context, snapshot, events);
  context.metrics?.changed(snapshot, events);
  if (outcome.head.state !== 'running') {
    afterCommit(context, done);
    context.background('delivery', syncDelivery(context, delivery.receiptHandle, done));
    return undefined;
  }
  context.changeFeed.publish(done.id);
  if (isClaimedAlone(done.head)) logAlone(context, done);
  context.heldLeases.put({
    snapshot: done,
    receiptHandle: delivery.receiptHandle,
    sessionId: claimant.sessionId,
    begun: done.head.begun,
  });
  return assignmentOf(context, delivery.receiptHandle, done, startedAtMs);
}

async function writeClaims(
  context: ServiceContext,
  planned: readonly PlannedClaim[],
  claimant: Claimant,
): Promise<{ assigned: Assignment[]; lostRaces: Candidate[] }> {
  const assigned: Assignment[] = [];
  const lostRaces: Candidate[] = [];
  const failed: Delivery[] = [];
  const unanswered: PlannedClaim[] = [];
  if (planned.length === 0) return { assigned, lostRaces };
  const startedAtMs = context.clock.monotonic();
  const outcomes = await context.store.append(planned.map((one) => one.change));
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i];
    const one = planned[i];
    if (outcome === undefined || one === undefined)
      throw new RangeError('the store returned fewer outcomes than changes');
    if (outcome.kind === 'done') {
      const assignment = concludeClaim(context, one, outcome, claimant, startedAtMs);
      if (assignment !== undefined) assigned.push(assignment);
    } else if (outcome.kind === 'conflict' && outcome.current !== undefined) {
      claimant.onRaceLost?.(lostRace(outcome.current.id, outcome.current.head));
      context.metrics?.claimLost(outcome.current.submission.scope, 'race');
      lostRaces.push({ delivery: one.candidate.delivery, snapshot: outcome.current });
    } else if (outcome.kind === 'failed') {
      const isUnknown = isUnanswered(outcome.error);
      if (isUnknown) unanswered.push(one);
      else failed.push(one.candidate.delivery);
      context.metrics?.claimLost(
        one.candidate.snapshot.submission.scope,
        isUnknown ? 'unanswered' : 'storeFailed',
      );
    }
    // If the task no longer exists, its delivery becomes visible again by itself, and the next receive hides or deletes it
    // as the delivery of an unknown task.
  }
  context.background('delivery', returnDeliveries(context, failed));
  releaseUnanswered(context, unanswered.map(unansweredOf));
  return { assigned, lostRaces };
}

function unansweredOf({ candidate, change }: PlannedClaim): UnansweredClaim {
  return { delivery: candidate.delivery, head: change.head };
}

/** Returns the claims that may be written, because no task that must run alone gets another one beside it. */
function admit(
  context: ServiceContext,
  all: readonly PlannedClaim[],
  claimant: Claimant,
  isFirst: boolean,
): AdmittedClaims<PlannedClaim> {
  if (claimant.only !== undefined) return claimant.only.admit(all);
  const claims = claimant.sessionId === undefined ? withoutCompany(context, all, isFirst) : all;
  return { claims, written() {} };
}

/**
 * Claims the tasks of several deliveries in rounds: a claim that failed because another writer changed the task first is
 * decided again in the next round, on the task's current snapshot.
 */
async function claimCandidates(
  context: ServiceContext,
  first: Candidate[],
  claimant: Claimant,
): Promise<Assignment[]> {
  let candidates = first;
  const assignments: Assignment[] = [];
  for (let i = 0; i < maxTries && candidates.length > 0; i++) {
    let planned: readonly PlannedClaim[] = [];
    try {
      const all = await planClaims(context, candidates, claimant);
      const admitted = admit(context, all, claimant, assignments.length === 0);
      planned = admitted.claims;
      const { assigned, lostRaces } = await writeClaims(context, planned, claimant).finally(admitted.written);
      assignments.push(...assigned);
      candidates = lostRaces;
    } catch (thrown) {
      const isUnknown = planned.length > 0 && isUnanswered(thrown);
      if (isUnknown) releaseUnanswered(context, planned.map(unansweredOf));
      const deliveries = isUnknown ? [] : candidates.map(({ delivery }) => delivery);
      for (const { submission } of candidates.map(({ snapshot }) => snapshot))
        context.metrics?.claimLost(submission.scope, isUnknown ? 'unanswered' : 'storeFailed');
      context.background('delivery', returnDeliveries(context, deliveries));
      // Tasks that were claimed in earlier rounds must still reach their worker.
      if (assignments.length === 0) throw thrown;
      return assignments;
    }
  }
  return assignments;
}

/**
 * Returns the newest delivery of each task, and deletes the others: one message is enough for a task. The others would be
 * hidden until the end of the lease, and an SQS queue would meanwhile hold back every message of the task, so that a
 * retry or a released task waits as long.
 */
function onePerTask(context: ServiceContext, deliveries: readonly Delivery[]): readonly Delivery[] {
  if (context.store.can.transactionalDispatch || deliveries.length === 1) return deliveries;
  const newest = new Map(deliveries.map((delivery) => [delivery.message.id, delivery]));
  if (newest.size === deliveries.length) return deliveries;
  const others = deliveries.filter((delivery) => newest.get(delivery.message.id) !== delivery);
  const handles = others.map(({ receiptHandle }) => receiptHandle);
  context.background('delivery', context.broker.delete(handles));
  return [...newest.values()];
}

/**
 * Handles the deliveries that a worker received: claims tasks that are ready or whose lease has expired, ends tasks that
 * have expired or used up their attempts, and hides, reroutes or deletes every other delivery by its task's state. A
 * problem with one delivery does not fail the others. While the node may give out no leases, it leaves all deliveries to
 * other nodes. Throws if the store cannot be read or written and nothing was claimed.
 */
export async function claimDeliveries(
  context: ServiceContext,
  received: readonly Delivery[],
  claimant: Claimant,
): Promise<Assignment[]> {
  if (!context.mayLease()) {
    context.background('delivery', returnDeliveries(context, received));
    return [];
  }
  const deliveries = onePerTask(context, received);
  let candidates: Candidate[];
  try {
    candidates = await loadCandidates(context, deliveries, claimant);
  } catch (thrown) {
    context.background('delivery', returnUnread(context, deliveries));
    throw thrown;
  }
  return claimCandidates(context, candidates, claimant);
}
