import { timing } from '../core/limits.ts';
import type { RunningService } from '../service/create-service.ts';
import { expireLeases } from './expire-leases.ts';
import { FailedTasks } from './failed-tasks.ts';
import { type Loop, startLoop } from './loop.ts';
import { type DutyOptions, dutiesOf } from './nodes/duties.ts';
import { checkWorkersMs, WorkerAnnouncer } from './nodes/worker-announcer.ts';
import { QueueBackoff, reconcile } from './reconcile.ts';
import { Sweeper } from './sweep.ts';

export interface Runtime {
  /**
   * Gives the shards of this node back, assigns no more tasks and asks the connected workers to connect elsewhere. Waits
   * at most `limitMs` until these workers hold no lease, then until the background work has ended. Remaining leases
   * expire later, and their tasks are claimed again.
   */
  drain(limitMs: number): Promise<void>;
  /**
   * Gives the shards of this node back, removes the workers of this process from the shared list of workers, and stops
   * the background loops.
   */
  stop(): Promise<void>;
}

const expireLeasesMs = 500;
const purgeMs = 60_000;
const purgeBatch = 1_000;
const settingsMs = 5_000;
const stuckMs = 60_000;
const drainPollMs = 50;

/** Starts all background loops of a node, each under a watchdog. */
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
    const beatOnce = async (): Promise<boolean> => {
      await membership.beat();
      return false;
    };
    loops.push(loop('membership', () => membership.nextInMs, beatOnce));
  }
  loops.push(
    loop('sweep', timing.sweepMs, async (signal, alive) => {
      await membership?.firstBeatDone;
      return sweeper.round(signal, duties.sweeps, alive);
    }),
    loop('purge', purgeMs, async () => (await context.store.purge(clock.now(), purgeBatch)) === purgeBatch),
  );
  if (options.takesPart !== false) {
    const remembered = { queueBackoff: new QueueBackoff(), failedTasks: new FailedTasks() };
    loops.push(
      loop('reconcile', timing.reconcileMs, async (signal, alive) => {
        await membership?.firstBeatDone;
        return reconcile(context, signal, { isMine: duties.reconciles, ...remembered, alive });
      }),
    );
  }
  if (context.broker.expiredLeases !== undefined)
    loops.push(loop('expire leases', expireLeasesMs, () => expireLeases(context)));
  const announcer = context.store.can.sharedWriters ? new WorkerAnnouncer(context) : undefined;
  if (announcer !== undefined) {
    loops.push(
      loop('settings', settingsMs, async () => {
        await context.queues.refresh();
        return false;
      }),
      loop('workers', checkWorkersMs, async () => {
        await announcer.announce();
        return false;
      }),
    );
  }
  const giveShardsBack = async (): Promise<void> => {
    await membership?.leave().catch((err: unknown) => {
      log.warn(
        { err },
        'could not give the shards back; other nodes take them when the lease of this node expires',
      );
    });
  };
  const withdrawWorkers = async (): Promise<void> => {
    await announcer?.leave().catch((err: unknown) => {
      log.warn({ err }, 'could not remove the workers from the shared list; they disappear within 3 minutes');
    });
  };
  return {
    async drain(limitMs) {
      const shardsGivenBack = giveShardsBack();
      for (const session of context.sessions.all()) session.drain();
      const untilMs = clock.monotonic() + limitMs;
      const working = (): boolean => {
        const counts = context.heldLeases.counts();
        return [...context.sessions.all()].some(({ id }) => counts.has(id));
      };
      while (working() && clock.monotonic() < untilMs) await clock.sleep(drainPollMs);
      await shardsGivenBack;
      await settled();
    },
    async stop() {
      await giveShardsBack();
      await withdrawWorkers();
      await Promise.all(loops.map((one) => one.stop()));
      await settled();
    },
  };
}
