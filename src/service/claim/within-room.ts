import { limits } from '../../core/limits.ts';
import { typeRoomOf } from '../../core/type-room.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { ServiceContext } from '../context.ts';
import { resend } from './return-deliveries.ts';

/** How long a delivery stays hidden, in ms, that its receiver has no room for. */
const fullHideMs = 1_000;

/**
 * Returns the deliveries that a worker has room for, by the limits of single task types, and hands the others back
 * without a claim. An external broker leaves the messages of a full type in the queue, except a message that was
 * received too often and must be replaced.
 */
export function withinTypeRoom(
  context: ServiceContext,
  deliveries: readonly Delivery[],
  roomOfType: ((type: string) => number) | undefined,
): readonly Delivery[] {
  const room = typeRoomOf({ roomOfType });
  if (room === undefined) return deliveries;
  const within: Delivery[] = [];
  for (const delivery of deliveries) {
    const { type } = delivery.message;
    if (room.has(type)) {
      room.use(type);
      within.push(delivery);
    } else context.background('delivery', handBack(context, delivery));
  }
  return within;
}

/** Hands a delivery back without a claim. It is visible again after `ms`. */
export async function handBack(
  context: ServiceContext,
  delivery: Delivery,
  ms: number = fullHideMs,
): Promise<void> {
  if (delivery.receiveCount >= limits.deliveryReceives) await resend(context, delivery);
  else await context.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms }]);
}
