/** What becomes of a bell whose task is not claimed by whoever heard it. */

import { limits } from '../../core/limits.ts';
import type { Rejection } from '../../core/task/command.ts';
import { isEnded } from '../../core/task/head.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { dispatch } from '../hand-over.ts';

const minuteMs = 60_000;
const unknownHideMs = 5_000;
/** A task that is not there is taken for gone once the message that names it is so old. */
export const unknownForgetMs = 10 * minuteMs;
/**
 * Not for this worker, but maybe for the next that polls: at first it is heard again soon, so that workers of one queue
 * that handle different types do not keep tasks from each other. Later more rarely, since each hearing costs.
 */
const unhandledHideMs = 1_000;
const unhandledSoon = 8;
const unhandledHideMaxMs = 2 * minuteMs;

/** What could not be claimed is heard again after so long, twice as long each time. */
const giveBackMs = 2_000;
const giveBackMaxMs = 4_000;

export async function resend(context: ServiceContext, delivery: Delivery): Promise<void> {
  const [sent] = await context.broker.send([{ ...delivery.message, reason: 'again' }]);
  if (sent === true) await context.broker.delete([delivery.receiptHandle]);
}

export async function unknown(context: ServiceContext, delivery: Delivery): Promise<void> {
  if (context.clock.now() - delivery.sentAtMs > unknownForgetMs)
    await context.broker.delete([delivery.receiptHandle]);
  else await context.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: unknownHideMs }]);
}

export async function unhandled(context: ServiceContext, delivery: Delivery): Promise<void> {
  const doublings = Math.max(0, delivery.receiveCount - unhandledSoon);
  const ms = Math.min(unhandledHideMaxMs, unhandledHideMs * 2 ** doublings);
  await context.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms }]);
}

/**
 * It lies in another queue than its task's: forged, or put there from a dead-letter queue. Whoever listens there has no
 * right to the task; it is rung for where it belongs.
 */
export async function misplaced(
  context: ServiceContext,
  delivery: Delivery,
  snapshot: Snapshot,
): Promise<void> {
  const { tenant, queue } = delivery.message.queue;
  context.log.warn({ task_id: snapshot.id, tenant, queue }, 'a bell lay in a queue that is not its task’s');
  if (!isEnded(snapshot.head)) await dispatch(context, snapshot, snapshot.head.version, 'again');
  await context.broker.delete([delivery.receiptHandle]);
}

export function isMisplaced({ message: { queue } }: Delivery, { submission: { scope } }: Snapshot): boolean {
  return scope.tenant !== queue.tenant || scope.queue !== queue.queue;
}

/**
 * The store could not be asked or did not take the claim, such as one that is throttled: heard again soon, not only when
 * a lease would have ended. Where the claim stands nevertheless the next hearer finds its lease.
 */
export async function giveBack(context: ServiceContext, deliveries: readonly Delivery[]): Promise<void> {
  if (context.store.can.transactionalDispatch || deliveries.length === 0) return;
  const changes = deliveries.map(({ receiptHandle, receiveCount }) => {
    const ms = Math.min(giveBackMaxMs, giveBackMs * 2 ** Math.max(0, receiveCount - 1));
    return { receiptHandle, ms };
  });
  await context.broker.changeVisibility(changes);
}

/**
 * Nothing could be learned of their tasks. One that was heard so often meanwhile is rung anew here too, else SQS would
 * take it for what nobody can read, and move it to the dead letters after some minutes.
 */
export async function giveBackUnread(
  context: ServiceContext,
  deliveries: readonly Delivery[],
): Promise<void> {
  if (context.store.can.transactionalDispatch) return;
  const isOld = ({ receiveCount }: Delivery): boolean => receiveCount >= limits.deliveryReceives;
  const young = deliveries.filter((delivery) => !isOld(delivery));
  const old = deliveries.filter(isOld).map((delivery) => resend(context, delivery));
  await Promise.all([giveBack(context, young), ...old]);
}

/** Why it cannot be claimed says what becomes of its bell. */
export async function answerRejection(
  context: ServiceContext,
  delivery: Delivery,
  rejection: Rejection,
): Promise<void> {
  const aheadMs = 'untilMs' in rejection ? rejection.untilMs - context.clock.now() : 0;
  switch (rejection.why) {
    case 'leased':
      await context.broker.changeVisibility([
        { receiptHandle: delivery.receiptHandle, ms: Math.max(1, aheadMs) },
      ]);
      return;
    case 'scheduled':
      // Never claimed while scheduled: the sweep rings first and clears then, and this may be its ring.
      if (aheadMs < minuteMs)
        await context.broker.changeVisibility([
          { receiptHandle: delivery.receiptHandle, ms: Math.max(0, aheadMs) + 1_000 },
        ]);
      else await context.broker.delete([delivery.receiptHandle]);
      return;
    default:
      await context.broker.delete([delivery.receiptHandle]);
  }
}
