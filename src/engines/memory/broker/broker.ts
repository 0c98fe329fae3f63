import type { HoldfastError } from '../../../core/errors.ts';
import type { Bell, Bells, Ring, Want } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { QueueRef, TaskId } from '../../../ports/task-store.ts';
import type { Operate } from '../operate.ts';
import type { Belfry } from './priority-queues.ts';

/** What each nature of bells does at one moment; what both share is here. */
export interface BellKind {
  readonly belfry: Pick<Belfry<never>, 'nextAtMs' | 'listen'>;
  ring(ring: Ring): true | HoldfastError;
  take(queues: readonly QueueRef[], want: Want): Bell[];
  /** `of`: only where it is a bell of that queue. */
  hide(handle: string, ms: number, of: QueueRef | undefined): boolean;
  silence(handle: string, of: QueueRef | undefined): boolean;
  /** Whether the task has a bell, hidden or not. */
  hangs(id: TaskId): boolean;
  spent?(nowMs: number, spentForMs: number, limit: number): Bell[];
}

/** Until a bell may be heard, the time is over, or somebody ends the wait. */
function nextSound(
  kind: BellKind,
  clock: Clock,
  queues: readonly QueueRef[],
  waitMs: number,
  signals: readonly AbortSignal[],
  over: () => void,
): Promise<void> {
  return new Promise((resolve) => {
    const nextAtMs = kind.belfry.nextAtMs(queues, clock.now());
    const soundMs = nextAtMs === undefined ? waitMs : Math.max(1, nextAtMs - clock.now());
    const cancel = clock.after(Math.min(waitMs, soundMs), done);
    const stopListening = kind.belfry.listen(queues, done);
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
export function bellsOf(kind: BellKind, clock: Clock, operate: Operate, closed: AbortSignal): Bells {
  const waiting = new Set<Want>();
  async function receive(queues: readonly QueueRef[], want: Want): Promise<readonly Bell[]> {
    const signals = [want.signal, closed];
    const endAtMs = clock.monotonic() + want.waitMs;
    for (;;) {
      if (signals.some((signal) => signal.aborted)) return [];
      // Rung between the look and the wait for the next sound: nobody would hear it.
      let rang = false;
      const stopListening = kind.belfry.listen(queues, () => {
        rang = true;
      });
      let sound: Promise<void> | undefined;
      try {
        const bells = await operate('bells.receive', queues.length, () =>
          want.signal.aborted ? [] : kind.take(queues, want),
        );
        const leftMs = endAtMs - clock.monotonic();
        if (bells.length > 0 || leftMs <= 0) return bells;
        if (rang) continue;
        waiting.add(want);
        // It listens from here on, before this ear is taken away.
        sound = nextSound(kind, clock, queues, leftMs, signals, () => waiting.delete(want));
      } finally {
        stopListening();
      }
      await sound;
    }
  }

  const spent = kind.spent?.bind(kind);
  return {
    ring: (rings) => operate('bells.ring', rings.length, () => rings.map((one) => kind.ring(one))),
    receive,
    waits: (want) => waiting.has(want),
    hide: (bells, of) =>
      operate('bells.hide', bells.length, () => bells.map((one) => kind.hide(one.handle, one.ms, of))),
    silence: (handles, of) =>
      operate('bells.silence', handles.length, () => handles.map((handle) => kind.silence(handle, of))),
    ...(spent === undefined
      ? {}
      : {
          spent: (nowMs: number, spentForMs: number, limit: number) =>
            operate('bells.spent', 1, () => spent(nowMs, spentForMs, limit)),
        }),
  };
}
