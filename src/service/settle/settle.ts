import { decodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Assignment, Settlement, SettleResult, TypeCredit } from '../../core/messages.ts';
import type { Settle } from '../../core/task/command.ts';
import { decide } from '../../core/task/decide.ts';
import { shownState } from '../../core/task/head.ts';
import { isFromClaim, type Lease } from '../../core/task/lease.ts';
import type { Snapshot, Transition, WriteOutcome } from '../../ports/task-store.ts';
import { afterCommit, factsOf, syncDelivery } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { readEach } from '../read-each.ts';
import {
  contended,
  foreignLease,
  itemError,
  notFound,
  rejectionError,
  reportRefusal,
} from '../rejections.ts';
import type { ReportContext, SettleAnswer, SettleContext } from '../service.ts';
import type { LiveSession } from '../session/sessions.ts';
import type { StepSpans } from '../step-spans.ts';
import type { HeldLease } from './held-leases.ts';
import { beginSettleSpans, endSettleSpans } from './settle-spans.ts';

/**
 * How often a settlement is tried in total. If another writer changes the task first, the settlement is decided again on
 * the task's current snapshot.
 */
const maxTries = 4;

const noTypes: readonly TypeCredit[] = [];

/** One settlement of a batch, with the last known snapshot of its task. */
interface SettlementInProgress {
  readonly index: number;
  readonly lease: Lease;
  readonly command: Settle;
  readonly result: Uint8Array | undefined;
  readonly held: HeldLease | undefined;
  snapshot: Snapshot;
}

function commandOf(lease: Lease, item: Settlement, random: number, countsAsRelease: boolean): Settle {
  const { fencingToken } = lease;
  const { message, errorType, afterMs } = item;
  switch (item.outcome) {
    case 'succeeded':
      return { kind: 'settle', fencingToken, outcome: 'succeeded', resultBytes: item.result?.length ?? 0 };
    case 'snoozed':
      return { kind: 'settle', fencingToken, outcome: 'snoozed', afterMs: afterMs ?? 0 };
    case 'released':
      return { kind: 'settle', fencingToken, outcome: 'released', begun: item.begun, countsAsRelease };
    case 'lost':
      return { kind: 'settle', fencingToken, outcome: 'lost', message };
    default:
      return { kind: 'settle', fencingToken, outcome: item.outcome, message, errorType, afterMs, random };
  }
}

function changeOf(
  one: SettlementInProgress,
  events: Transition['events'],
  head: Transition['head'],
): Transition {
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

function concludeSettlement(
  context: ServiceContext,
  one: SettlementInProgress,
  change: Transition,
  outcome: WriteOutcome & { kind: 'done' },
): SettleResult {
  const { head } = outcome;
  const { submission } = one.snapshot;
  const isNotBegun = one.command.outcome === 'released' && !one.command.begun;
  context.metrics?.changed(one.snapshot, change.events, !isNotBegun);
  // Only the dispatch of the lane's next task needs all of the settled task's newest events (the tip); no
  // other step after a settlement reads the tip.
  afterCommit(context, {
    ...one.snapshot,
    head,
    tip: change.head.handOver ? [...one.snapshot.tip, ...change.events] : one.snapshot.tip,
  });
  if (!context.store.can.transactionalDispatch) {
    context.background('delivery', syncDelivery(context, one.lease.receiptHandle, { head, submission }));
  }
  return { state: shownState(head), error: undefined };
}

function refused(
  { metrics }: ServiceContext,
  { snapshot }: SettlementInProgress,
  error: HoldfastError,
): SettleResult {
  metrics?.settlementRefused(snapshot.submission.scope, error.reason);
  return { error: itemError(error) };
}

/** The task changes of one write, and the settlement of each change at the same index. */
type SettlementRound = { readonly changes: Transition[]; readonly settlements: SettlementInProgress[] };

/** Decides each settlement of a batch. A settlement that needs no write (a repeat or a refusal) gets its result at once. */
function decideRound(
  context: ServiceContext,
  settlements: readonly SettlementInProgress[],
  results: SettleResult[],
): SettlementRound {
  const round: SettlementRound = { changes: [], settlements: [] };
  for (const one of settlements) {
    const { head } = one.snapshot;
    if (!isFromClaim(head, one.lease)) {
      // The held lease stays: it is that of the claim, and its worker may still settle.
      results[one.index] = refused(context, one, foreignLease(one.lease.id));
      continue;
    }
    const decision = decide(head, factsOf(context, one.snapshot), one.command, context.clock.now());
    if (!decision.ok) {
      // A refused settlement does not change the task's delivery, because the delivery belongs to the current holder of the
      // lease.
      context.heldLeases.drop(one.lease.id, one.lease.fencingToken);
      results[one.index] = refused(context, one, rejectionError(one.lease.id, decision.rejection));
    } else if (decision.events.length === 0) {
      context.heldLeases.drop(one.lease.id, one.lease.fencingToken);
      results[one.index] = { state: shownState(head), error: undefined };
    } else {
      round.changes.push(changeOf(one, decision.events, decision.head));
      round.settlements.push(one);
    }
  }
  return round;
}

async function writeRound(
  context: ServiceContext,
  round: SettlementRound,
  results: SettleResult[],
  spans: StepSpans | undefined,
): Promise<SettlementInProgress[]> {
  const lostRaces: SettlementInProgress[] = [];
  const write = (): Promise<readonly WriteOutcome[]> => context.store.append(round.changes);
  const outcomes = await (spans === undefined ? write() : spans.commit(write));
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i];
    const one = round.settlements[i];
    const change = round.changes[i];
    if (outcome === undefined || one === undefined || change === undefined)
      throw new RangeError('the store returned fewer outcomes than changes');
    if (outcome.kind === 'done') {
      context.heldLeases.drop(one.lease.id, one.lease.fencingToken);
      results[one.index] = concludeSettlement(context, one, change, outcome);
    } else if (outcome.kind === 'failed') results[one.index] = { error: itemError(outcome.error) };
    else if (outcome.current === undefined)
      results[one.index] = refused(context, one, notFound(one.lease.id));
    else {
      one.snapshot = outcome.current;
      lostRaces.push(one);
    }
  }
  return lostRaces;
}

/** Pairs each settlement with its task's snapshot, from memory if this node gave out the lease, otherwise by a read. */
async function loadSettlements(
  context: ServiceContext,
  items: readonly Settlement[],
  from: ReportContext,
  results: SettleResult[],
  countsAsRelease: boolean,
): Promise<SettlementInProgress[]> {
  const settlements: SettlementInProgress[] = [];
  const unread: { index: number; lease: Lease; item: Settlement }[] = [];
  for (let index = 0; index < items.length; index++) {
    const item = items[index] as Settlement;
    try {
      const lease = decodeLease(item.lease);
      const held = context.heldLeases.get(lease.id, lease.fencingToken);
      if (held === undefined) unread.push({ index, lease, item });
      else settlements.push(settlementOf(index, lease, item, held.snapshot, held));
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
      else settlements.push(settlementOf(index, lease, item, found, undefined));
    }
  }
  return settlements.filter((one) => {
    const refused = reportRefusal(one.snapshot, from);
    if (refused !== undefined) results[one.index] = { error: itemError(refused) };
    return refused === undefined;
  });

  function settlementOf(
    index: number,
    lease: Lease,
    item: Settlement,
    snapshot: Snapshot,
    held: HeldLease | undefined,
  ): SettlementInProgress {
    const command = commandOf(lease, item, context.clock.random(), countsAsRelease);
    return { index, lease, command, result: item.result, held, snapshot };
  }
}

/** The session to which a batch of settlements returns its credits, and its number of hello messages at which they count. */
interface CreditedSession {
  readonly session: LiveSession;
  readonly hellos: number;
}

function creditedSession(
  { sessions }: ServiceContext,
  { tenant, sessionId, hellos }: SettleContext,
): CreditedSession | undefined {
  const session = sessionId === undefined ? undefined : sessions.get(sessionId);
  return session?.tenant === tenant ? { session, hellos: hellos ?? session.hellos } : undefined;
}

/**
 * True if the session's credits were set by the hello message that was the worker's last when it sent the batch. A later hello
 * counts the tasks of the batch as held, so the credits of the batch would count twice, or were replaced. An earlier one
 * shows that the hello is still on its way, and would replace them.
 */
function isCurrent({ session, hellos }: CreditedSession): boolean {
  return session.hellos === hellos;
}

/**
 * Gives the credits of the settled tasks back to the worker's session before the settlements are committed, so that the
 * next claims can join the same commit. Returns false, and gives none back, if the session is not on this node, or if the
 * task of one of the `sent` settlements is unknown: the worker counts by batches, so it must then send all credits itself.
 */
function returnCredits(
  settlements: readonly SettlementInProgress[],
  sent: number,
  to: CreditedSession | undefined,
): boolean {
  if (to === undefined || !isCurrent(to) || settlements.length < sent) return false;
  const { session } = to;
  let bytes = 0;
  for (const one of settlements) bytes += one.snapshot.submission.spec.length;
  const types = session.limitsTypes
    ? settlements.map((one) => ({ type: one.snapshot.submission.type, tasks: 1 }))
    : noTypes;
  session.creditSettled(settlements.length, bytes, types);
  return true;
}

/**
 * Settles a batch of attempts, each item on its own. A repeated settlement gets the recorded result. If another writer
 * changed the task first, the settlement is decided again on the task's current snapshot. If a whole write fails, each
 * settlement in it gets the error, and the worker repeats it. `countsAsRelease` counts each release towards the task's
 * limit of unacknowledged releases.
 */
export async function settle(
  context: ServiceContext,
  items: readonly Settlement[],
  from: SettleContext,
  countsAsRelease = false,
): Promise<SettleAnswer> {
  const results = new Array<SettleResult>(items.length);
  const startedAtMs = context.clock.monotonic();
  const to = creditedSession(context, from);
  let settlements = await loadSettlements(context, items, from, results, countsAsRelease);
  const spans = beginSettleSpans(context, items, settlements, startedAtMs);
  const credited = returnCredits(settlements, items.length, to);
  for (let i = 0; i < maxTries && settlements.length > 0; i++) {
    const round = decideRound(context, settlements, results);
    settlements = [];
    if (round.changes.length === 0) break;
    try {
      settlements = await writeRound(context, round, results, spans);
    } catch (thrown) {
      for (const one of round.settlements) results[one.index] ??= { error: itemError(thrown) };
    }
  }
  for (const one of settlements) results[one.index] = refused(context, one, contended(one.lease.id));
  if (spans !== undefined) endSettleSpans(spans, results);
  return { results, credited: credited && to !== undefined && isCurrent(to) };
}

/**
 * Releases assignments that no worker has acknowledged. Such a release uses up no attempt, but a task can be released this
 * way only a limited number of times.
 */
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
        begun: false,
      }),
    );
    await settle(context, items, { tenant, sessionId: undefined }, true);
  }
}
