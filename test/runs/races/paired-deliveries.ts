import type { QueueRef } from '../../../src/core/queue-ref.ts';
import type { Broker, Delivery, ReceiveRequest } from '../../../src/ports/broker.ts';

/**
 * Wraps a broker so that two receivers get each delivery at the same moment. The broker itself delivers a message to
 * one receiver only, so two claims of one task would never race. With two receivers they race, and only the condition
 * of the store's write decides.
 */
export function pairedDeliveries(inner: Broker): Broker {
  let first: { readonly deliveries: Promise<readonly Delivery[]>; readonly joined: () => void } | undefined;
  function receive(queues: readonly QueueRef[], want: ReceiveRequest): Promise<readonly Delivery[]> {
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
