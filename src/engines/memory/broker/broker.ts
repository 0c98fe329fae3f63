import type { HoldfastError } from '../../../core/errors.ts';
import type { Broker, Delivery, DispatchMessage, Want } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { QueueRef, TaskId } from '../../../ports/task-store.ts';
import type { Operate } from '../operate.ts';
import type { PriorityQueues } from './priority-queues.ts';

/** What each nature of bells does at one moment; what both share is here. */
export interface BrokerKind {
  readonly queues: Pick<PriorityQueues<never>, 'nextAtMs' | 'listen'>;
  send(message: DispatchMessage): true | HoldfastError;
  take(queues: readonly QueueRef[], want: Want): Delivery[];
  /** `of`: only where it is a bell of that queue. */
  changeVisibility(receiptHandle: string, ms: number, of: QueueRef | undefined): boolean;
  delete(receiptHandle: string, of: QueueRef | undefined): boolean;
  /** Whether the task has a bell, hidden or not. */
  hasMessage(id: TaskId): boolean;
  expiredLeases?(nowMs: number, expiredForMs: number, limit: number): Delivery[];
}

/** Until a bell may be heard, the time is over, or somebody ends the wait. */
function nextSound(
  kind: BrokerKind,
  clock: Clock,
  queues: readonly QueueRef[],
  waitMs: number,
  signals: readonly AbortSignal[],
  over: () => void,
): Promise<void> {
  return new Promise((resolve) => {
    const nextAtMs = kind.queues.nextAtMs(queues, clock.now());
    const soundMs = nextAtMs === undefined ? waitMs : Math.max(1, nextAtMs - clock.now());
    const cancel = clock.after(Math.min(waitMs, soundMs), done);
    const stopListening = kind.queues.listen(queues, done);
    for (const signal of signals) signal.addEventListener('abort', done);
    function done(): void {
      over();
      cancel();
      stopListening();
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

/** One caller's view of the bells. */
export function brokerOf(kind: BrokerKind, clock: Clock, operate: Operate, closed: AbortSignal): Broker {
  const waiting = new Set<Want>();
  async function receive(queues: readonly QueueRef[], want: Want): Promise<readonly Delivery[]> {
    const signals = [want.signal, closed];
    const endAtMs = clock.monotonic() + want.waitMs;
    for (;;) {
      if (signals.some((signal) => signal.aborted)) return [];
      // Rung between the look and the wait for the next sound: nobody would hear it.
      let isWoken = false;
      const stopListening = kind.queues.listen(queues, () => {
        isWoken = true;
      });
      let sound: Promise<void> | undefined;
      try {
        const deliveries = await operate('broker.receive', queues.length, () =>
          want.signal.aborted ? [] : kind.take(queues, want),
        );
        const leftMs = endAtMs - clock.monotonic();
        if (deliveries.length > 0 || leftMs <= 0) return deliveries;
        if (isWoken) continue;
        waiting.add(want);
        // It listens from here on, before this ear is taken away.
        sound = nextSound(kind, clock, queues, leftMs, signals, () => waiting.delete(want));
      } finally {
        stopListening();
      }
      await sound;
    }
  }

  const expiredLeases = kind.expiredLeases?.bind(kind);
  return {
    send: (messages) => operate('broker.send', messages.length, () => messages.map((one) => kind.send(one))),
    receive,
    isIdle: (want) => waiting.has(want),
    changeVisibility: (changes, of) =>
      operate('broker.changeVisibility', changes.length, () =>
        changes.map((one) => kind.changeVisibility(one.receiptHandle, one.ms, of)),
      ),
    delete: (receiptHandles, of) =>
      operate('broker.delete', receiptHandles.length, () =>
        receiptHandles.map((receiptHandle) => kind.delete(receiptHandle, of)),
      ),
    ...(expiredLeases === undefined
      ? {}
      : {
          expiredLeases: (nowMs: number, expiredForMs: number, limit: number) =>
            operate('broker.expiredLeases', 1, () => expiredLeases(nowMs, expiredForMs, limit)),
        }),
  };
}
