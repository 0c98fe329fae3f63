import { decodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { HeartbeatAnswer, HeartbeatItem } from '../../core/messages.ts';
import { leaseExpiredAtMs } from '../../core/task/decision.ts';
import type { Head } from '../../core/task/head.ts';
import type { Lease } from '../../core/task/lease.ts';
import { renew } from '../../core/task/renew.ts';
import type { Outcome, Renewal, Snapshot } from '../../ports/task-store.ts';
import { factsOf } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { readEach } from '../read-each.ts';
import { itemError, notFound, reportRefusal } from '../rejections.ts';
import type { ReportContext } from '../service.ts';

interface Beating {
  readonly index: number;
  readonly lease: Lease;
  readonly item: HeartbeatItem;
  readonly snapshot: Snapshot;
}

function verdict(context: ServiceContext, snapshot: Snapshot, one: Beating): ReturnType<typeof renew> {
  const heartbeat = {
    fencingToken: one.lease.fencingToken,
    leaseMs: timing.leaseMs,
    progress: one.item.progress,
  };
  return renew(snapshot.head, factsOf(context, snapshot), heartbeat, context.clock.now());
}

function answerOf(context: ServiceContext, one: Beating, outcome: Outcome): HeartbeatAnswer {
  if (outcome.kind === 'failed') return { verdict: 'error', error: itemError(outcome.error) };
  if (outcome.kind === 'refused') {
    context.held.drop(one.lease.id, one.lease.fencingToken);
    return { verdict: 'leaseLost' };
  }
  renewed(context, one, outcome.head);
  // Asked for through another node since this one last looked: from now on nothing is renewed.
  if (outcome.head.cancelRequested) return { verdict: 'cancel', cause: 'cancelled' };
  return { verdict: 'renewed', leaseMs: Math.max(0, (outcome.head.leaseEndAtMs ?? 0) - context.clock.now()) };
}

function renewed(context: ServiceContext, one: Beating, head: Head): void {
  context.held.update(one.lease.id, head);
  if (one.item.progress !== undefined) context.feed.publish(one.lease.id);
  if (context.store.can.transactionalDispatch) return;
  const ms = Math.max(0, leaseExpiredAtMs(head) - context.clock.now());
  const { scope } = one.snapshot.submission;
  context.background(
    'delivery',
    context.broker.changeVisibility([{ receiptHandle: one.lease.receiptHandle, ms }], scope),
  );
}

async function begin(
  context: ServiceContext,
  items: readonly HeartbeatItem[],
  from: ReportContext,
  answers: HeartbeatAnswer[],
): Promise<Beating[]> {
  const beating: Beating[] = [];
  const unread: { index: number; lease: Lease; item: HeartbeatItem }[] = [];
  const add = (index: number, lease: Lease, item: HeartbeatItem, found: Snapshot | HoldfastError): void => {
    const refused = found instanceof HoldfastError ? found : reportRefusal(found, from);
    if (refused !== undefined) answers[index] = { verdict: 'error', error: itemError(refused) };
    else if (!(found instanceof HoldfastError)) beating.push({ index, lease, item, snapshot: found });
  };
  items.forEach((item, index) => {
    try {
      const lease = decodeLease(item.lease);
      const held = context.held.get(lease.id, lease.fencingToken);
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
  return beating;
}

/** Renews leases, conditional on token and running; a cancelled, late or lost one is told so and renews nothing. */
export async function heartbeat(
  context: ServiceContext,
  items: readonly HeartbeatItem[],
  from: ReportContext,
): Promise<readonly HeartbeatAnswer[]> {
  const answers = new Array<HeartbeatAnswer>(items.length);
  const renewing: Beating[] = [];
  const changes: Renewal[] = [];
  for (const one of await begin(context, items, from, answers)) {
    const said = verdict(context, one.snapshot, one);
    if (said.verdict !== 'renewed') {
      if (said.verdict === 'leaseLost') context.held.drop(one.lease.id, one.lease.fencingToken);
      answers[one.index] = said;
      continue;
    }
    renewing.push(one);
    const { leaseEndAtMs, progress } = said;
    changes.push({
      kind: 'renewal',
      id: one.lease.id,
      expect: { fencingToken: one.lease.fencingToken },
      leaseEndAtMs,
      progress,
    });
  }
  if (changes.length === 0) return answers;
  const outcomes = await context.store.append(changes);
  renewing.forEach((one, i) => {
    answers[one.index] = answerOf(context, one, outcomes[i] as Outcome);
  });
  return answers;
}
