/** Defers, reroutes, replaces or deletes deliveries whose tasks the receiving worker did not claim. */

import { delayMs } from '../../core/backoff.ts';
import { limits } from '../../core/limits.ts';
import { isSameQueue } from '../../core/queue-ref.ts';
import type { Rejection } from '../../core/task/command.ts';
import { isEnded } from '../../core/task/head.ts';
import type { Delivery } from '../../ports/broker.ts';
import { taskFields } from '../../ports/task-fields.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { dispatch } from '../hand-over.ts';

const minuteMs = 60_000;
const unknownHideMs = 5_000;
/** A task that is not in the store counts as deleted once its dispatch message is older than this time, in ms. */
export const unknownForgetMs = 10 * minuteMs;
/**
 * How long a delivery is hidden, in ms, if the receiving worker does not handle its task type. The time is short for the
 * first 8 receives, so that workers of one queue that handle different types do not delay each other's tasks. Then the time
 * doubles with each receive up to the maximum, because each receive costs money.
 */
const unhandledHide = { firstMs: 1_000, longestMs: 2 * minuteMs } as const;
const unhandledQuickReceives = 8;

/**
 * How long a delivery is hidden, in ms, after the claim of its task failed. The time doubles with each receive up to the
 * maximum.
 */
const returnedHide = { firstMs: 2_000, longestMs: 4_000 } as const;

/** Replaces a delivery with a new dispatch message, whose receive count starts at zero. */
export async function resend(context: ServiceContext, delivery: Delivery): Promise<void> {
  const [sent] = await context.broker.send([{ ...delivery.message, reason: 'again' }]);
  if (sent === true) await context.broker.delete([delivery.receiptHandle]);
}

/** Hides a delivery whose task is not in the store, or deletes it once it is older than `unknownForgetMs`. */
export async function deferUnknown(context: ServiceContext, delivery: Delivery): Promise<void> {
  if (context.clock.now() - delivery.sentAtMs > unknownForgetMs)
    await context.broker.delete([delivery.receiptHandle]);
  else await context.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: unknownHideMs }]);
}

/** Hides a delivery that the receiving worker cannot handle, so that another worker can receive it. */
export async function deferUnhandled(context: ServiceContext, delivery: Delivery): Promise<void> {
  const ms = delayMs(unhandledHide, delivery.receiveCount - unhandledQuickReceives);
  await context.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms }]);
}

/**
 * Handles a delivery that was received from a queue other than the queue of its task: the message is forged, or was moved
 * from a dead-letter queue to the wrong queue. The workers of the wrong queue have no right to the task, so a new message
 * goes to the task's own queue and this delivery is deleted.
 */
export async function rerouteMisplaced(
  context: ServiceContext,
  delivery: Delivery,
  snapshot: Snapshot,
): Promise<void> {
  const { tenant, queue } = delivery.message.queue;
  context.log.warn(
    { ...taskFields(snapshot), tenant, received_from: queue },
    'received a dispatch message from a queue that is not its task’s',
  );
  if (!isEnded(snapshot.head)) await dispatch(context, snapshot, snapshot.head.version, 'again');
  await context.broker.delete([delivery.receiptHandle]);
}

/** Returns true if the delivery was received from a queue other than the queue of its task. */
export function isMisplaced({ message: { queue } }: Delivery, { submission: { scope } }: Snapshot): boolean {
  return !isSameQueue(scope, queue);
}

/** Shows deliveries again at once that the receiving worker may not claim now, because their queue was paused meanwhile. */
export async function showAgain(context: ServiceContext, deliveries: readonly Delivery[]): Promise<void> {
  if (deliveries.length === 0) return;
  await context.broker.changeVisibility(deliveries.map(({ receiptHandle }) => ({ receiptHandle, ms: 0 })));
}

/**
 * Hides deliveries for some seconds after the store failed to read their tasks or to write their claims, for example
 * because the store is throttled. Otherwise the deliveries would become visible only after the length of a lease. If such a
 * claim was committed after all, the next worker that receives the delivery finds the lease.
 */
export async function returnDeliveries(
  context: ServiceContext,
  deliveries: readonly Delivery[],
): Promise<void> {
  if (context.store.can.transactionalDispatch || deliveries.length === 0) return;
  const changes = deliveries.map(({ receiptHandle, receiveCount }) => {
    return { receiptHandle, ms: delayMs(returnedHide, receiveCount - 1) };
  });
  await context.broker.changeVisibility(changes);
}

/**
 * Makes deliveries whose tasks could not be read visible again after some seconds. A delivery that was received
 * `limits.deliveryReceives` times is replaced with a new message; otherwise SQS would move it to the dead-letter queue
 * after some more minutes.
 */
export async function returnUnread(context: ServiceContext, deliveries: readonly Delivery[]): Promise<void> {
  if (context.store.can.transactionalDispatch) return;
  const isOld = ({ receiveCount }: Delivery): boolean => receiveCount >= limits.deliveryReceives;
  const young = deliveries.filter((delivery) => !isOld(delivery));
  const old = deliveries.filter(isOld).map((delivery) => resend(context, delivery));
  await Promise.all([returnDeliveries(context, young), ...old]);
}

/** Hides or deletes the delivery of a task that cannot be claimed, depending on the reason of the rejection. */
export async function settleDelivery(
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
      // A scheduled task is never claimed. The sweep sends a task's dispatch message before it clears the task's due entry,
      // so this delivery may be the message of the sweep and must not be lost.
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
