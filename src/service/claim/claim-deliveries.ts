import { encodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { lostRace } from '../../core/task/conflict.ts';
import { decide } from '../../core/task/decide.ts';
import { isEnded } from '../../core/task/head.ts';
import type { Bell, HandledType } from '../../ports/broker.ts';
import type { Outcome, Snapshot, Transition } from '../../ports/task-store.ts';
import { after, factsOf, keepBell, transition } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { isLowest } from '../hand-over.ts';
import { type ReadOne, readEach } from '../read-each.ts';
import {
  answerRejection,
  giveBack,
  giveBackUnread,
  isMisplaced,
  misplaced,
  ringAnew,
  unhandled,
  unknown,
} from './return-deliveries.ts';

export interface Hearer {
  /** The worker's name and id. */
  readonly worker: string;
  readonly types: readonly HandledType[];
  readonly sessionId: string | undefined;
  /** Told of each race that a claim lost: who has the task. */
  lost?(error: HoldfastError): void;
}

/** A claim that another node's write beat is decided again on what stands, a few times. */
const tries = 3;

type Heard = { readonly bell: Bell; readonly snapshot: Snapshot };

function handles(hearer: Hearer, snapshot: Snapshot): boolean {
  const { type, typeVersion } = snapshot.submission;
  return hearer.types.some((handled) => handled.type === type && handled.maxVersion >= typeVersion);
}

/** What the worker is told of its lease. `handle`: of the bell that it holds; empty where bells follow the commit. */
export function assignmentOf(context: ServiceContext, handle: string, snapshot: Snapshot): Assignment {
  const { head, submission, id } = snapshot;
  const nowMs = context.clock.now();
  const timeoutAtMs = head.timeoutAtMs ?? nowMs;
  return {
    id,
    lease: encodeLease({ id, token: head.fencingToken, version: head.version, timeoutAtMs, handle }),
    spec: submission.spec,
    attempt: head.attempt,
    maxAttempts: submission.options.retry.maxAttempts,
    token: head.fencingToken,
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

const noSnapshots: ReadonlyMap<Bell, ReadOne> = new Map();

/** Heard for the first time after the submission: nearly always nobody was there before, so no head is read. */
function isFirst({ ring, receives }: Bell): boolean {
  return ring.reason === 'submit' && receives === 1;
}

async function readHeard(
  context: ServiceContext,
  bells: readonly Bell[],
): Promise<ReadonlyMap<Bell, ReadOne>> {
  const { store } = context;
  const nowMs = context.clock.now();
  const ids = (some: readonly Bell[]): string[] => some.map((bell) => bell.ring.id);
  const first = store.presume === undefined ? [] : bells.filter(isFirst);
  const rest = first.length === 0 ? bells : bells.filter((bell) => !isFirst(bell));
  const [presumed, read] = await Promise.all([
    readEach(ids(first), async (some) => (await store.presume?.(some, nowMs)) ?? []),
    readEach(ids(rest), (some) => store.read(some, nowMs)),
  ]);
  return new Map([
    ...first.map((bell, i) => [bell, presumed[i]] as const),
    ...rest.map((bell, i) => [bell, read[i]] as const),
  ]);
}

/** Reads what the bells did not bring along; decides on that, never on anything older. */
async function look(context: ServiceContext, bells: readonly Bell[], hearer: Hearer): Promise<Heard[]> {
  const blind = bells.filter((bell) => bell.hint === undefined);
  const read = blind.length === 0 ? noSnapshots : await readHeard(context, blind);
  const heard: Heard[] = [];
  for (const bell of bells) {
    const found = bell.hint ?? read.get(bell);
    if (found === undefined) context.background('unknown bell', unknown(context, bell));
    else if (found instanceof HoldfastError) {
      // It may be mended, and waits for that as for a worker of its type.
      context.log.error({ task_id: bell.ring.id, err: found }, 'a task that is damaged was left alone');
      context.background('bell', unhandled(context, bell));
    } else if (isMisplaced(bell, found)) context.background('bell', misplaced(context, bell, found));
    else if (!handles(hearer, found) && !isEnded(found.head))
      context.background('bell', unhandled(context, bell));
    else heard.push({ bell, snapshot: found });
    if (bell.receives >= limits.bellReceives) context.background('bell', ringAnew(context, bell));
  }
  return heard;
}

type Decided = { readonly heard: Heard; readonly change: Transition };

function decideClaim(
  context: ServiceContext,
  one: Heard,
  hearer: Hearer,
  lowest: boolean,
): Decided | undefined {
  const claim = { kind: 'claim', worker: hearer.worker, leaseMs: timing.leaseMs, lowest } as const;
  const decision = decide(one.snapshot.head, factsOf(context, one.snapshot), claim, context.clock.now());
  if (decision.ok) return { heard: one, change: transition(one.snapshot, decision.events, decision.head) };
  context.background('bell', answerRejection(context, one.bell, decision.rejection));
  return undefined;
}

async function decideAll(
  context: ServiceContext,
  heard: readonly Heard[],
  hearer: Hearer,
): Promise<Decided[]> {
  const decided: Decided[] = [];
  for (const one of heard) {
    // Only lanes pay for order.
    const lowest = one.snapshot.head.inLane ? await isLowest(context, one.snapshot) : true;
    const claim = decideClaim(context, one, hearer, lowest);
    if (claim !== undefined) decided.push(claim);
  }
  return decided;
}

/** A claimed task becomes an assignment; one that ended instead (expired, attempts spent) leaves its bell. */
function conclude(
  context: ServiceContext,
  one: Decided,
  outcome: Outcome & { kind: 'done' },
  hearer: Hearer,
): Assignment | undefined {
  const { bell, snapshot } = one.heard;
  const { events } = one.change;
  const tip = events.length === 0 ? snapshot.tip : [...snapshot.tip, ...events];
  const done: Snapshot = { ...snapshot, head: outcome.head, tip };
  if (outcome.head.state !== 'running') {
    after(context, done);
    context.background('bell', keepBell(context, bell.handle, done));
    return undefined;
  }
  context.feed.publish(done.id);
  context.held.put({ snapshot: done, handle: bell.handle, sessionId: hearer.sessionId });
  return assignmentOf(context, bell.handle, done);
}

async function write(
  context: ServiceContext,
  decided: readonly Decided[],
  hearer: Hearer,
): Promise<{ assigned: Assignment[]; again: Heard[] }> {
  const assigned: Assignment[] = [];
  const again: Heard[] = [];
  const failed: Bell[] = [];
  const outcomes = await context.store.append(decided.map((one) => one.change));
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i];
    const one = decided[i];
    if (outcome === undefined || one === undefined)
      throw new RangeError('the store answered fewer items than asked');
    if (outcome.kind === 'done') {
      const assignment = conclude(context, one, outcome, hearer);
      if (assignment !== undefined) assigned.push(assignment);
    } else if (outcome.kind === 'refused' && outcome.stood !== undefined) {
      hearer.lost?.(lostRace(outcome.stood.id, outcome.stood.head));
      again.push({ bell: one.heard.bell, snapshot: outcome.stood });
    } else if (outcome.kind === 'failed') failed.push(one.heard.bell);
    // Gone: the bell comes back by itself.
  }
  context.background('bell', giveBack(context, failed));
  return { assigned, again };
}

/** Claims in rounds: whoever lost a race decides again on what stands. */
async function claimAll(context: ServiceContext, first: Heard[], hearer: Hearer): Promise<Assignment[]> {
  let heard = first;
  const assignments: Assignment[] = [];
  for (let i = 0; i < tries && heard.length > 0; i++) {
    try {
      const decided = await decideAll(context, heard, hearer);
      if (decided.length === 0) break;
      const { assigned, again } = await write(context, decided, hearer);
      assignments.push(...assigned);
      heard = again;
    } catch (thrown) {
      const bells = heard.map(({ bell }) => bell);
      context.background('bell', giveBack(context, bells));
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
export async function hear(
  context: ServiceContext,
  bells: readonly Bell[],
  hearer: Hearer,
): Promise<Assignment[]> {
  let heard: Heard[];
  try {
    heard = await look(context, bells, hearer);
  } catch (thrown) {
    context.background('bell', giveBackUnread(context, bells));
    throw thrown;
  }
  return claimAll(context, heard, hearer);
}
