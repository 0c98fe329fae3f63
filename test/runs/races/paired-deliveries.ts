import type { Broker, Delivery, Want } from '../../../src/ports/broker.ts';
import type { QueueRef } from '../../../src/ports/task-store.ts';

/**
 * Gives each bell to two receivers at one instant. A server rings a task for one receiver only, so two claims of one
 * task would never meet; here they do, and nothing but the store's condition stands between them.
 */
export function pairedDeliveries(inner: Broker): Broker {
  let first: { readonly deliveries: Promise<readonly Delivery[]>; readonly joined: () => void } | undefined;
  function receive(queues: readonly QueueRef[], want: Want): Promise<readonly Delivery[]> {
    if (first !== undefined) {
      const { deliveries, joined } = first;
      first = undefined;
      joined();
      return deliveries;
    }
    const { promise: second, resolve: joined } = Promise.withResolvers<void>();
    const deliveries = inner.receive(queues, want).then(async (received) => {
      if (received.length > 0) await second;
      else if (first?.deliveries === deliveries) first = undefined;
      return received;
    });
    first = { deliveries, joined };
    return deliveries;
  }
  return {
    receive,
    send: (messages) => inner.send(messages),
    changeVisibility: (changes, of) => inner.changeVisibility(changes, of),
    delete: (receiptHandles, of) => inner.delete(receiptHandles, of),
    ...(inner.expiredLeases && {
      expiredLeases: (nowMs, forMs, limit) =>
        inner.expiredLeases?.(nowMs, forMs, limit) ?? Promise.resolve([]),
    }),
  };
}
