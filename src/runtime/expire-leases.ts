import { isEnded } from '../core/task/head.ts';
import type { Snapshot } from '../ports/task-store.ts';
import { commitCommand } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { noticeExpiry } from '../service/session/notice-expiry.ts';
import { knowledgeOf } from '../service/settle/held-leases.ts';

/** The number of leases that expire in one commit, of all queues in turn. */
const batch = 100;
/**
 * How long, in ms, a task with an expired lease is left to workers with a free slot. After that this process appends
 * `leaseExpired` to the task.
 */
const leaveToWorkersMs = 1_500;

/**
 * Appends `leaseExpired` to tasks whose lease expired while no worker had a free slot, so that such a task is shown as
 * ready. Only a broker within this process needs this function: with SQS, a poller receives the dispatch message of such
 * a task. Does nothing while no lease may expire (`LeaseGrace`). Returns true if there may be more such tasks.
 */
export async function expireLeases(context: ServiceContext): Promise<boolean> {
  if (context.broker.expiredLeases === undefined) return false;
  if (context.leaseGrace.notBeforeMs(context.clock.now()) !== undefined) return false;
  const deliveries = await context.broker.expiredLeases(context.clock.now(), leaveToWorkersMs, batch);
  if (deliveries.length === 0) return false;
  const nowMs = context.clock.now();
  const read = await context.store.read(
    deliveries.map((delivery) => delivery.message.id),
    nowMs,
  );
  const results = await Promise.allSettled(read.map((snapshot) => expireLease(context, snapshot)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return deliveries.length === batch;
}

async function expireLease(context: ServiceContext, snapshot: Snapshot | undefined): Promise<void> {
  if (snapshot === undefined || isEnded(snapshot.head)) return;
  const lastLease = knowledgeOf(context, snapshot);
  const done = await commitCommand(context, snapshot, { kind: 'expire', lastLease });
  if (done.kind === 'done') noticeExpiry(context, snapshot);
}
