import { encodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { lostRace } from '../../core/task/conflict.ts';
import { decide } from '../../core/task/decide.ts';
import { isEnded } from '../../core/task/head.ts';
import type { Delivery, HandledType } from '../../ports/broker.ts';
import type { Outcome, Snapshot, Transition } from '../../ports/task-store.ts';
import { after, factsOf, syncDelivery, transition } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { isLowest } from '../hand-over.ts';
import { type ReadOne, readEach } from '../read-each.ts';
import {
  answerRejection,
  giveBack,
  giveBackUnread,
  isMisplaced,
  misplaced,
  resend,
  unhandled,
  unknown,
} from './return-deliveries.ts';

export interface Claimant {
  /** The worker's name and id. */
  readonly worker: string;
  readonly types: readonly HandledType[];
  readonly sessionId: string | undefined;
  /** Told of each race that a claim lost: who has the task. */
  lost?(error: HoldfastError): void;
}

/** A claim that another node's write beat is decided again on what stands, a few times. */
const tries = 3;

type Candidate = { readonly delivery: Delivery; readonly snapshot: Snapshot };

function handles(claimant: Claimant, snapshot: Snapshot): boolean {
  const { type, typeVersion } = snapshot.submission;
  return claimant.types.some((handled) => handled.type === type && handled.maxVersion >= typeVersion);
}

/** What the worker is told of its lease. `handle`: of the bell that it holds; empty where bells follow the commit. */
export function assignmentOf(context: ServiceContext, receiptHandle: string, snapshot: Snapshot): Assignment {
  const { head, submission, id } = snapshot;
  const nowMs = context.clock.now();
  const timeoutAtMs = head.timeoutAtMs ?? nowMs;
  return {
    id,
    lease: encodeLease({
      id,
      fencingToken: head.fencingToken,
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
  };
}

const noSnapshots: ReadonlyMap<Delivery, ReadOne> = new Map();

/** Heard for the first time after the submission: nearly always nobody was there before, so no head is read. */
function isFirst({ message, receiveCount }: Delivery): boolean {
  return message.reason === 'submit' && receiveCount === 1;
}

async function readCandidates(
  context: ServiceContext,
  deliveries: readonly Delivery[],
): Promise<ReadonlyMap<Delivery, ReadOne>> {
  const { store } = context;
  const nowMs = context.clock.now();
  const ids = (some: readonly Delivery[]): string[] => some.map((delivery) => delivery.message.id);
  const first = store.readAsSubmitted === undefined ? [] : deliveries.filter(isFirst);
  const rest = first.length === 0 ? deliveries : deliveries.filter((delivery) => !isFirst(delivery));
  const [asSubmitted, read] = await Promise.all([
    readEach(ids(first), async (some) => (await store.readAsSubmitted?.(some, nowMs)) ?? []),
    readEach(ids(rest), (some) => store.read(some, nowMs)),
  ]);
  return new Map([
    ...first.map((delivery, i) => [delivery, asSubmitted[i]] as const),
    ...rest.map((delivery, i) => [delivery, read[i]] as const),
  ]);
}

/** Reads what the bells did not bring along; decides on that, never on anything older. */
async function look(
  context: ServiceContext,
  deliveries: readonly Delivery[],
  claimant: Claimant,
): Promise<Candidate[]> {
  const blind = deliveries.filter((delivery) => delivery.snapshot === undefined);
  const read = blind.length === 0 ? noSnapshots : await readCandidates(context, blind);
  const candidates: Candidate[] = [];
  for (const delivery of deliveries) {
    const found = delivery.snapshot ?? read.get(delivery);
    if (found === undefined) context.background('unknown delivery', unknown(context, delivery));
    else if (found instanceof HoldfastError) {
      // It may be mended, and waits for that as for a worker of its type.
      context.log.error(
        { task_id: delivery.message.id, err: found },
        'a task that is damaged was left alone',
      );
      context.background('delivery', unhandled(context, delivery));
    } else if (isMisplaced(delivery, found))
      context.background('delivery', misplaced(context, delivery, found));
    else if (!handles(claimant, found) && !isEnded(found.head))
      context.background('delivery', unhandled(context, delivery));
    else candidates.push({ delivery, snapshot: found });
    if (delivery.receiveCount >= limits.deliveryReceives)
      context.background('delivery', resend(context, delivery));
  }
  return candidates;
}

type Decided = { readonly candidate: Candidate; readonly change: Transition };

function decideClaim(
  context: ServiceContext,
  one: Candidate,
  claimant: Claimant,
  lowest: boolean,
): Decided | undefined {
  const claim = { kind: 'claim', worker: claimant.worker, leaseMs: timing.leaseMs, lowest } as const;
  const decision = decide(one.snapshot.head, factsOf(context, one.snapshot), claim, context.clock.now());
  if (decision.ok)
    return { candidate: one, change: transition(one.snapshot, decision.events, decision.head) };
  context.background('delivery', answerRejection(context, one.delivery, decision.rejection));
  return undefined;
}

async function decideAll(
  context: ServiceContext,
  candidates: readonly Candidate[],
  claimant: Claimant,
): Promise<Decided[]> {
  const decided: Decided[] = [];
  for (const one of candidates) {
    // Only lanes pay for order.
    const lowest = one.snapshot.head.inLane ? await isLowest(context, one.snapshot) : true;
    const claim = decideClaim(context, one, claimant, lowest);
    if (claim !== undefined) decided.push(claim);
  }
  return decided;
}

/** A claimed task becomes an assignment; one that ended instead (expired, attempts spent) leaves its bell. */
function conclude(
  context: ServiceContext,
  one: Decided,
  outcome: Outcome & { kind: 'done' },
  claimant: Claimant,
): Assignment | undefined {
  const { delivery, snapshot } = one.candidate;
  const { events } = one.change;
  const tip = events.length === 0 ? snapshot.tip : [...snapshot.tip, ...events];
  const done: Snapshot = { ...snapshot, head: outcome.head, tip };
  if (outcome.head.state !== 'running') {
    after(context, done);
    context.background('delivery', syncDelivery(context, delivery.receiptHandle, done));
    return undefined;
  }
  context.feed.publish(done.id);
  context.held.put({ snapshot: done, receiptHandle: delivery.receiptHandle, sessionId: claimant.sessionId });
  return assignmentOf(context, delivery.receiptHandle, done);
}

async function write(
  context: ServiceContext,
  decided: readonly Decided[],
  claimant: Claimant,
): Promise<{ assigned: Assignment[]; again: Candidate[] }> {
  const assigned: Assignment[] = [];
  const again: Candidate[] = [];
  const failed: Delivery[] = [];
  const outcomes = await context.store.append(decided.map((one) => one.change));
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i];
    const one = decided[i];
    if (outcome === undefined || one === undefined)
      throw new RangeError('the store answered fewer items than asked');
    if (outcome.kind === 'done') {
      const assignment = conclude(context, one, outcome, claimant);
      if (assignment !== undefined) assigned.push(assignment);
    } else if (outcome.kind === 'refused' && outcome.current !== undefined) {
      claimant.lost?.(lostRace(outcome.current.id, outcome.current.head));
      again.push({ delivery: one.candidate.delivery, snapshot: outcome.current });
    } else if (outcome.kind === 'failed') failed.push(one.candidate.delivery);
    // Gone: the bell comes back by itself.
  }
  context.background('delivery', giveBack(context, failed));
  return { assigned, again };
}

/** Claims in rounds: whoever lost a race decides again on what stands. */
async function claimAll(
  context: ServiceContext,
  first: Candidate[],
  claimant: Claimant,
): Promise<Assignment[]> {
  let candidates = first;
  const assignments: Assignment[] = [];
  for (let i = 0; i < tries && candidates.length > 0; i++) {
    try {
      const decided = await decideAll(context, candidates, claimant);
      if (decided.length === 0) break;
      const { assigned, again } = await write(context, decided, claimant);
      assignments.push(...assigned);
      candidates = again;
    } catch (thrown) {
      const deliveries = candidates.map(({ delivery }) => delivery);
      context.background('delivery', giveBack(context, deliveries));
      // What was claimed in earlier rounds must reach its worker.
      if (assignments.length === 0) throw thrown;
      return assignments;
    }
  }
  return assignments;
}

/**
 * What a receiver does with the bells it heard: claims what is ready or whose lease is spent, ends what is over, and
 * leaves every other bell as the task's state asks. Never throws for one bell's sake.
 */
export async function claimDeliveries(
  context: ServiceContext,
  deliveries: readonly Delivery[],
  claimant: Claimant,
): Promise<Assignment[]> {
  let candidates: Candidate[];
  try {
    candidates = await look(context, deliveries, claimant);
  } catch (thrown) {
    context.background('delivery', giveBackUnread(context, deliveries));
    throw thrown;
  }
  return claimAll(context, candidates, claimant);
}
