import { timing } from '../core/limits.ts';
import type { RunningService } from '../service/create-service.ts';
import { expireLeases } from './expire-leases.ts';
import { UnhelpedTasks } from './failed-tasks.ts';
import { type Loop, startLoop } from './loop.ts';
import { type DutyOptions, dutiesOf } from './nodes/duties.ts';
import { lookMs, WorkersTold } from './nodes/worker-announcer.ts';
import { Resting, reconcile } from './reconcile.ts';
import { Sweeper } from './sweep.ts';

export interface Runtime {
  /**
   * Stops giving work and tells the workers to go elsewhere; waits at most `limitMs` until no lease of this node is
   * held, then for what was begun. Leases that remain are spent in time and taken over. What it swept for all nodes it
   * gives back first.
   */
  drain(limitMs: number): Promise<void>;
  /** Takes this process's workers off the list that others read, and ends the loops. */
  stop(): Promise<void>;
}

const expireLeasesMs = 500;
const purgeMs = 60_000;
const purgeBatch = 1_000;
const settingsMs = 5_000;
const stuckMs = 60_000;
const drainPollMs = 50;

/** Starts every loop, each under its watchdog. */
export function startRuntime({ context, settled }: RunningService, options: DutyOptions = {}): Runtime {
  const { clock, log } = context;
  const loop = (
    name: string,
    everyMs: number | (() => number),
    round: (signal: AbortSignal, alive: () => void) => Promise<boolean>,
  ): Loop => startLoop({ name, everyMs, stuckAfterMs: stuckMs, clock, log, round });
  const duties = dutiesOf(context, options);
  const { membership } = duties;
  const sweeper = new Sweeper(context);
  const loops: Loop[] = [];
  if (membership !== undefined) {
    const beat = async (): Promise<boolean> => {
      await membership.beat();
      return false;
    };
    loops.push(loop('membership', () => membership.nextInMs, beat));
  }
  loops.push(
    loop('sweep', timing.sweepMs, async (signal, alive) => {
      await membership?.looked;
      return sweeper.round(signal, duties.sweeps, alive);
    }),
    loop('purge', purgeMs, async () => (await context.store.purge(clock.now(), purgeBatch)) === purgeBatch),
  );
  if (options.takesPart !== false) {
    const remembered = { resting: new Resting(), unhelped: new UnhelpedTasks() };
    loops.push(
      loop('reconcile', timing.reconcileMs, async (signal, alive) => {
        await membership?.looked;
        return reconcile(context, signal, { isMine: duties.looksAfter, ...remembered, alive });
      }),
    );
  }
  if (context.broker.expiredLeases !== undefined)
    loops.push(loop('expire leases', expireLeasesMs, () => expireLeases(context)));
  const told = context.store.can.sharedWriters ? new WorkersTold(context) : undefined;
  if (told !== undefined) {
    loops.push(
      loop('settings', settingsMs, async () => {
        await context.queues.refresh();
        return false;
      }),
      loop('workers', lookMs, async () => {
        await told.tell();
        return false;
      }),
    );
  }
  const giveBack = async (): Promise<void> => {
    await membership?.leave().catch((err: unknown) => {
      log.warn({ err }, 'could not give its shards back; others take them once its lease is spent');
    });
  };
  const leaveList = async (): Promise<void> => {
    await told?.leave().catch((err: unknown) => {
      log.warn({ err }, 'could not take its workers off the list; others leave them out within 3 minutes');
    });
  };
  return {
    async drain(limitMs) {
      const given = giveBack();
      for (const session of context.sessions.all()) session.drain();
      const untilMs = clock.monotonic() + limitMs;
      const working = (): boolean => {
        const counts = context.held.counts();
        return [...context.sessions.all()].some(({ id }) => counts.has(id));
      };
      while (working() && clock.monotonic() < untilMs) await clock.sleep(drainPollMs);
      await given;
      await settled();
    },
    async stop() {
      await giveBack();
      await leaveList();
      await Promise.all(loops.map((one) => one.stop()));
      await settled();
    },
  };
}
