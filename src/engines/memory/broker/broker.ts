import type { HoldfastError } from '../../../core/errors.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';
import type { Broker, Delivery, DispatchMessage, ReceiveRequest } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { TaskId } from '../../../ports/task-store.ts';
import type { Operate } from '../operate.ts';
import type { PriorityQueues } from './priority-queues.ts';

/**
 * The part of the memory broker that differs between an `external` broker (a message queue beside the store) and a
 * `transactional` one (its messages follow the commits of the store). The methods are synchronous; `brokerOf` adds the
 * waiting of receive calls.
 */
export interface BrokerKind {
  readonly queues: Pick<PriorityQueues<never>, 'nextAtMs' | 'listen'>;
  send(message: DispatchMessage): true | HoldfastError;
  take(queues: readonly QueueRef[], request: ReceiveRequest): Delivery[];
  /**
   * Hides a dispatch message for `ms` milliseconds from now on. Returns false if the receipt handle is stale, or if
   * `expectedQueue` is given and the message belongs to another queue; the call then has no effect.
   */
  changeVisibility(receiptHandle: string, ms: number, expectedQueue: QueueRef | undefined): boolean;
  /** Deletes a dispatch message. The result and `expectedQueue` mean the same as for `changeVisibility`. */
  delete(receiptHandle: string, expectedQueue: QueueRef | undefined): boolean;
  /** Returns true if the task has a dispatch message, hidden or visible. */
  hasMessage(id: TaskId): boolean;
  expiredLeases?(nowMs: number, expiredForMs: number, limit: number): Delivery[];
}

/** Waits until a dispatch message of one of the queues may be visible, `waitMs` is over, or a signal is aborted. */
function waitForDelivery(
  kind: BrokerKind,
  clock: Clock,
  queues: readonly QueueRef[],
  waitMs: number,
  signals: readonly AbortSignal[],
  onEnd: () => void,
): Promise<void> {
  return new Promise((resolve) => {
    const nextAtMs = kind.queues.nextAtMs(queues, clock.now());
    const visibleInMs = nextAtMs === undefined ? waitMs : Math.max(1, nextAtMs - clock.now());
    const cancel = clock.after(Math.min(waitMs, visibleInMs), done);
    const stopListening = kind.queues.listen(queues, done);
    for (const signal of signals) signal.addEventListener('abort', done);
    function done(): void {
      onEnd();
      cancel();
      stopListening();
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

/**
 * Returns the broker for one connected process. All processes share the same dispatch messages. An injected fault, or
 * closing the engine of one process, affects only the calls of that process.
 */
export function brokerOf(kind: BrokerKind, clock: Clock, operate: Operate, closed: AbortSignal): Broker {
  const waiting = new Set<ReceiveRequest>();
  async function receive(queues: readonly QueueRef[], request: ReceiveRequest): Promise<readonly Delivery[]> {
    const signals = [request.signal, closed];
    const endAtMs = clock.monotonic() + request.waitMs;
    for (;;) {
      if (signals.some((signal) => signal.aborted)) return [];
      // This listener notices a dispatch message that is sent after the receive call has looked for messages and before
      // the call waits.
      let isWoken = false;
      const stopListening = kind.queues.listen(queues, () => {
        isWoken = true;
      });
      let delivery: Promise<void> | undefined;
      try {
        const deliveries = await operate('broker.receive', queues.length, () =>
          request.signal.aborted ? [] : kind.take(queues, request),
        );
        const leftMs = endAtMs - clock.monotonic();
        if (deliveries.length > 0 || leftMs <= 0) return deliveries;
        if (isWoken) continue;
        waiting.add(request);
        // `waitForDelivery` adds its own listener before the first listener of this receive call is removed, so that the
        // call misses no dispatch message.
        delivery = waitForDelivery(kind, clock, queues, leftMs, signals, () => waiting.delete(request));
      } finally {
        stopListening();
      }
      await delivery;
    }
  }

  const expiredLeases = kind.expiredLeases?.bind(kind);
  return {
    send: (messages) => operate('broker.send', messages.length, () => messages.map((one) => kind.send(one))),
    receive,
    isIdle: (request) => waiting.has(request),
    changeVisibility: (changes, expectedQueue) =>
      operate('broker.changeVisibility', changes.length, () =>
        changes.map((one) => kind.changeVisibility(one.receiptHandle, one.ms, expectedQueue)),
      ),
    delete: (receiptHandles, expectedQueue) =>
      operate('broker.delete', receiptHandles.length, () =>
        receiptHandles.map((receiptHandle) => kind.delete(receiptHandle, expectedQueue)),
      ),
    ...(expiredLeases === undefined
      ? {}
      : {
          expiredLeases: (nowMs: number, expiredForMs: number, limit: number) =>
            operate('broker.expiredLeases', 1, () => expiredLeases(nowMs, expiredForMs, limit)),
        }),
  };
}
