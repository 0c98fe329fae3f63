import { decodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Assignment, Settlement, SettleResult } from '../../core/messages.ts';
import type { Settle } from '../../core/task/command.ts';
import { decide } from '../../core/task/decide.ts';
import { shownState } from '../../core/task/head.ts';
import type { Lease } from '../../core/task/lease.ts';
import type { Outcome, Snapshot, Transition } from '../../ports/task-store.ts';
import { after, factsOf, syncDelivery } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { readEach } from '../read-each.ts';
import { contended, itemError, notFound, rejectionError, reportRefusal } from '../rejections.ts';
import type { ReportContext, SettleAnswer, SettleContext } from '../service.ts';
import type { HeldLease } from './held-leases.ts';

const tries = 4;

/** One settlement under way: where it stands and what it asks. */
interface Settling {
  readonly index: number;
  readonly lease: Lease;
  readonly command: Settle;
  readonly result: Uint8Array | undefined;
  readonly held: HeldLease | undefined;
  snapshot: Snapshot;
}

function commandOf(lease: Lease, item: Settlement, random: number, counted: boolean): Settle {
  const { fencingToken } = lease;
  const { message, errorType, afterMs } = item;
  switch (item.outcome) {
    case 'succeeded':
      return { kind: 'settle', fencingToken, outcome: 'succeeded', resultBytes: item.result?.length ?? 0 };
    case 'snoozed':
      return { kind: 'settle', fencingToken, outcome: 'snoozed', afterMs: afterMs ?? 0 };
    case 'released':
      return { kind: 'settle', fencingToken, outcome: 'released', counted, random };
    default:
      return { kind: 'settle', fencingToken, outcome: item.outcome, message, errorType, afterMs, random };
  }
}

function changeOf(one: Settling, events: Transition['events'], head: Transition['head']): Transition {
  return {
    kind: 'transition',
    id: one.lease.id,
    expect: { fencingToken: one.lease.fencingToken, version: one.snapshot.head.version },
    events,
    head,
    result: one.command.outcome === 'succeeded' ? one.result : undefined,
    rejoinLane: false,
  };
}

function concluded(
  context: ServiceContext,
  one: Settling,
  change: Transition,
  outcome: Outcome & { kind: 'done' },
): SettleResult {
  const { head } = outcome;
  const { submission } = one.snapshot;
  // A hand-over needs the whole snapshot; nobody else looks at the tip after this.
  after(context, {
    ...one.snapshot,
    head,
    tip: change.head.handOver ? [...one.snapshot.tip, ...change.events] : one.snapshot.tip,
  });
  if (!context.store.can.transactionalDispatch) {
    context.background('delivery', syncDelivery(context, one.lease.receiptHandle, { head, submission }));
  }
  return { state: shownState(head), error: undefined };
}

type Round = { readonly changes: Transition[]; readonly going: Settling[] };

/** Decides each; what needs no write (a repeat, a refusal) is answered at once. */
function decideRound(context: ServiceContext, settling: readonly Settling[], results: SettleResult[]): Round {
  const round: Round = { changes: [], going: [] };
  for (const one of settling) {
    const { head } = one.snapshot;
    const decision = decide(head, factsOf(context, one.snapshot), one.command, context.clock.now());
    if (!decision.ok) {
      // Refused: whoever holds the lease now holds the bell too, so it is left alone.
      context.held.drop(one.lease.id, one.lease.fencingToken);
      results[one.index] = { error: itemError(rejectionError(one.lease.id, decision.rejection)) };
    } else if (decision.events.length === 0) {
      context.held.drop(one.lease.id, one.lease.fencingToken);
      results[one.index] = { state: shownState(head), error: undefined };
    } else {
      round.changes.push(changeOf(one, decision.events, decision.head));
      round.going.push(one);
    }
  }
  return round;
}

async function writeRound(
  context: ServiceContext,
  round: Round,
  results: SettleResult[],
): Promise<Settling[]> {
  const again: Settling[] = [];
  const outcomes = await context.store.append(round.changes);
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i];
    const one = round.going[i];
    const change = round.changes[i];
    if (outcome === undefined || one === undefined || change === undefined)
      throw new RangeError('an answer is missing');
    if (outcome.kind === 'done') {
      context.held.drop(one.lease.id, one.lease.fencingToken);
      results[one.index] = concluded(context, one, change, outcome);
    } else if (outcome.kind === 'failed') results[one.index] = { error: itemError(outcome.error) };
    else if (outcome.current === undefined) results[one.index] = { error: itemError(notFound(one.lease.id)) };
    else {
      one.snapshot = outcome.current;
      again.push(one);
    }
  }
  return again;
}

/** Pairs each settlement with its task: from memory where this node gave the lease, else by a read. */
async function begin(
  context: ServiceContext,
  items: readonly Settlement[],
  from: ReportContext,
  results: SettleResult[],
  counted: boolean,
): Promise<Settling[]> {
  const settling: Settling[] = [];
  const unread: { index: number; lease: Lease; item: Settlement }[] = [];
  for (let index = 0; index < items.length; index++) {
    const item = items[index] as Settlement;
    try {
      const lease = decodeLease(item.lease);
      const held = context.held.get(lease.id, lease.fencingToken);
      if (held === undefined) unread.push({ index, lease, item });
      else settling.push(settlingOf(index, lease, item, held.snapshot, held));
    } catch (thrown) {
      results[index] = { error: itemError(thrown) };
    }
  }
  if (unread.length > 0) {
    const nowMs = context.clock.now();
    const ids = unread.map((one) => one.lease.id);
    const read = await readEach(ids, (some) => context.store.read(some, nowMs));
    for (const [i, { index, lease, item }] of unread.entries()) {
      const found = read[i] ?? notFound(lease.id);
      if (found instanceof HoldfastError) results[index] = { error: itemError(found) };
      else settling.push(settlingOf(index, lease, item, found, undefined));
    }
  }
  return settling.filter((one) => {
    const refused = reportRefusal(one.snapshot, from);
    if (refused !== undefined) results[one.index] = { error: itemError(refused) };
    return refused === undefined;
  });

  function settlingOf(
    index: number,
    lease: Lease,
    item: Settlement,
    snapshot: Snapshot,
    held: HeldLease | undefined,
  ): Settling {
    const command = commandOf(lease, item, context.clock.random(), counted);
    return { index, lease, command, result: item.result, held, snapshot };
  }
}

/** Credits return before the commit, so that the next claims join it. */
function returnCredits(
  context: ServiceContext,
  settling: readonly Settling[],
  sessionId: string | undefined,
): boolean {
  const session = sessionId === undefined ? undefined : context.sessions.get(sessionId);
  if (session === undefined) return false;
  let bytes = 0;
  for (const one of settling) bytes += one.snapshot.submission.spec.length;
  session.credit(settling.length, bytes);
  return true;
}

/**
 * Settles a batch, each item alone. A repeat is answered with what was recorded; a conflict is decided again on what
 * stands. Where a whole write fails each of its items carries the error, and the worker sends it again.
 */
export async function settle(
  context: ServiceContext,
  items: readonly Settlement[],
  from: SettleContext,
  counted = false,
): Promise<SettleAnswer> {
  const results = new Array<SettleResult>(items.length);
  let settling = await begin(context, items, from, results, counted);
  const credited = returnCredits(context, settling, from.sessionId);
  for (let i = 0; i < tries && settling.length > 0; i++) {
    const round = decideRound(context, settling, results);
    settling = [];
    if (round.changes.length === 0) break;
    try {
      settling = await writeRound(context, round, results);
    } catch (thrown) {
      for (const one of round.going) results[one.index] ??= { error: itemError(thrown) };
    }
  }
  for (const one of settling) results[one.index] = { error: itemError(contended(one.lease.id)) };
  return { results, credited };
}

/** Assignments that no worker said a word about: not an attempt, but only so often. */
export async function releaseUnacknowledged(
  context: ServiceContext,
  tasks: readonly Assignment[],
): Promise<void> {
  const byTenant = Map.groupBy(tasks, (task) => task.tenant);
  for (const [tenant, group] of byTenant) {
    const items = group.map(
      (task): Settlement => ({
        lease: task.lease,
        outcome: 'released',
        result: undefined,
        message: '',
        errorType: '',
        afterMs: undefined,
      }),
    );
    await settle(context, items, { tenant, sessionId: undefined }, true);
  }
}
