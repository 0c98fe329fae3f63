import { decodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { HeartbeatAnswer, HeartbeatItem } from '../../core/messages.ts';
import { leaseExpiredAtMs } from '../../core/task/decision.ts';
import type { Head } from '../../core/task/head.ts';
import { isFromClaim, type Lease } from '../../core/task/lease.ts';
import { renew } from '../../core/task/renew.ts';
import type { NodeMetrics } from '../../ports/metrics.ts';
import type { LeaseRenewal, Snapshot, WriteOutcome } from '../../ports/task-store.ts';
import { factsOf } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { readEach } from '../read-each.ts';
import { foreignLease, itemError, notFound, reportRefusal } from '../rejections.ts';
import type { ReportContext } from '../service.ts';

/** One heartbeat of a batch, with the last known snapshot of its task. */
interface HeartbeatInProgress {
  readonly index: number;
  readonly lease: Lease;
  readonly item: HeartbeatItem;
  readonly snapshot: Snapshot;
}

function decideRenewal(
  context: ServiceContext,
  snapshot: Snapshot,
  one: HeartbeatInProgress,
): ReturnType<typeof renew> {
  const heartbeat = {
    fencingToken: one.lease.fencingToken,
    leaseMs: timing.leaseMs,
    begun: one.item.begun,
    progress: one.item.progress,
  };
  return renew(snapshot.head, factsOf(context, snapshot), heartbeat, context.clock.now());
}

function answerOf(context: ServiceContext, one: HeartbeatInProgress, outcome: WriteOutcome): HeartbeatAnswer {
  if (outcome.kind === 'failed') return { verdict: 'error', error: itemError(outcome.error) };
  if (outcome.kind === 'conflict') {
    context.heldLeases.drop(one.lease.id, one.lease.fencingToken);
    return { verdict: 'leaseLost' };
  }
  afterRenewal(context, one, outcome.head);
  // The task's cancellation was requested through another node after this node had read the task. Later heartbeats do not
  // renew the lease.
  if (outcome.head.cancelRequested) return { verdict: 'cancel', cause: 'cancelled' };
  return { verdict: 'renewed', leaseMs: Math.max(0, (outcome.head.leaseEndAtMs ?? 0) - context.clock.now()) };
}

function afterRenewal(context: ServiceContext, one: HeartbeatInProgress, head: Head): void {
  context.heldLeases.update(one.lease.id, head);
  if (one.item.progress !== undefined) context.changeFeed.publish(one.lease.id);
  if (context.store.can.transactionalDispatch) return;
  const ms = Math.max(0, leaseExpiredAtMs(head) - context.clock.now());
  const { scope } = one.snapshot.submission;
  context.background(
    'delivery',
    context.broker.changeVisibility([{ receiptHandle: one.lease.receiptHandle, ms }], scope),
  );
}

function refusalOf(found: Snapshot, lease: Lease, from: ReportContext): HoldfastError | undefined {
  return reportRefusal(found, from) ?? (isFromClaim(found.head, lease) ? undefined : foreignLease(lease.id));
}

async function loadHeartbeats(
  context: ServiceContext,
  items: readonly HeartbeatItem[],
  from: ReportContext,
  answers: HeartbeatAnswer[],
): Promise<HeartbeatInProgress[]> {
  const heartbeats: HeartbeatInProgress[] = [];
  const unread: { index: number; lease: Lease; item: HeartbeatItem }[] = [];
  const add = (index: number, lease: Lease, item: HeartbeatItem, found: Snapshot | HoldfastError): void => {
    const refused = found instanceof HoldfastError ? found : refusalOf(found, lease, from);
    if (refused !== undefined) answers[index] = { verdict: 'error', error: itemError(refused) };
    else if (!(found instanceof HoldfastError)) heartbeats.push({ index, lease, item, snapshot: found });
  };
  items.forEach((item, index) => {
    try {
      const lease = decodeLease(item.lease);
      const held = context.heldLeases.get(lease.id, lease.fencingToken);
      if (held === undefined) unread.push({ index, lease, item });
      else add(index, lease, item, held.snapshot);
    } catch (thrown) {
      answers[index] = { verdict: 'error', error: itemError(thrown) };
    }
  });
  if (unread.length > 0) {
    const nowMs = context.clock.now();
    const ids = unread.map((one) => one.lease.id);
    const read = await readEach(ids, (some) => context.store.read(some, nowMs));
    for (const [i, { index, lease, item }] of unread.entries()) {
      add(index, lease, item, read[i] ?? notFound(lease.id));
    }
  }
  return heartbeats;
}

/** Records how late a heartbeat came after the one before it. */
function recordLateness(
  { heldLeases }: ServiceContext,
  metrics: NodeMetrics,
  { id, fencingToken }: Lease,
  nowMs: number,
): void {
  const lastAtMs = heldLeases.get(id, fencingToken)?.lastReportAtMs;
  if (lastAtMs !== undefined) metrics.heartbeat(nowMs - lastAtMs - timing.heartbeatMs);
}

/**
 * Handles a batch of heartbeats: renews each lease whose task is still running with the lease's fencing token. If the
 * attempt is cancelled or timed out, or the lease is lost, the verdict of the heartbeat says so, and the lease is not
 * renewed.
 */
export async function heartbeat(
  context: ServiceContext,
  items: readonly HeartbeatItem[],
  from: ReportContext,
): Promise<readonly HeartbeatAnswer[]> {
  const answers = new Array<HeartbeatAnswer>(items.length);
  const renewals: HeartbeatInProgress[] = [];
  const nowMs = context.clock.now();
  const changes: LeaseRenewal[] = [];
  for (const one of await loadHeartbeats(context, items, from, answers)) {
    if (context.metrics !== undefined) recordLateness(context, context.metrics, one.lease, nowMs);
    context.heldLeases.reported(one.lease.id, one.lease.fencingToken, nowMs);
    const decision = decideRenewal(context, one.snapshot, one);
    if (decision.verdict !== 'renewed') {
      if (decision.verdict === 'leaseLost') context.heldLeases.drop(one.lease.id, one.lease.fencingToken);
      answers[one.index] = decision;
      continue;
    }
    renewals.push(one);
    const { leaseEndAtMs, begun, progress } = decision;
    changes.push({
      kind: 'renewal',
      id: one.lease.id,
      expect: { fencingToken: one.lease.fencingToken },
      leaseEndAtMs,
      begun,
      progress,
    });
  }
  if (changes.length === 0) return answers;
  const outcomes = await context.store.append(changes);
  renewals.forEach((one, i) => {
    answers[one.index] = answerOf(context, one, outcomes[i] as WriteOutcome);
  });
  return answers;
}
