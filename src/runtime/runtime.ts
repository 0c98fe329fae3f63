import { timing } from '../core/limits.ts';
import { resumeEndedPauses } from '../service/admin/admin.ts';
import type { RunningService } from '../service/create-service.ts';
import { expireLeases } from './expire-leases.ts';
import { FailedTasks } from './failed-tasks.ts';
import { type Loop, startLoop } from './loop.ts';
import { type DutyOptions, dutiesOf } from './nodes/duties.ts';
import { checkWorkersMs, WorkerAnnouncer } from './nodes/worker-announcer.ts';
import { LoopAges } from './observe/loop-ages.ts';
import { observeNode } from './observe/observe-node.ts';
import { QueueBackoff, reconcile } from './reconcile.ts';
import { LaneReleaser } from './release-lanes.ts';
import { Sweeper } from './sweep.ts';
import { UnservedLog } from './unserved-log.ts';
import { within } from './within.ts';

export interface Runtime {
  /**
   * Begins to give the shards of this node back, assigns no more tasks and asks the connected workers to connect
   * elsewhere. Waits at most `limitMs` until the background work has ended and the workers have acknowledged their
   * assignments. It waits for no running task: leases are stored, and their workers settle on another node or on this one
   * after its restart.
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
const unservedMs = 60_000;
const stuckMs = 60_000;
const acknowledgedPollMs = 5;

/** Starts all background loops of a node, each under a watchdog. */
export function startRuntime({ context, settled }: RunningService, options: DutyOptions = {}): Runtime {
  const { clock, log } = context;
  context.leaseGrace.start();
  const loop = (
    name: string,
    everyMs: number | (() => number),
    round: (signal: AbortSignal, alive: () => void) => Promise<boolean>,
  ): Loop => {
    const observed = context.metrics === undefined ? round : loopAges.observe(name, round);
    return startLoop({ name, everyMs, stuckAfterMs: stuckMs, clock, log, round: observed });
  };
  const loopAges = new LoopAges(clock);
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
    const laneReleaser = new LaneReleaser(context);
    const unservedLog = new UnservedLog(context);
    loops.push(
      loop('reconcile', timing.reconcileMs, async (signal, alive) => {
        await membership?.firstBeatDone;
        return reconcile(context, signal, { isMine: duties.reconciles, ...remembered, alive });
      }),
      loop('release lanes', timing.sweepMs, async (signal) => {
        await membership?.firstBeatDone;
        return laneReleaser.round(signal, duties.reconciles);
      }),
      loop('ended pauses', settingsMs, async () => {
        await membership?.firstBeatDone;
        await resumeEndedPauses(context, duties.reconciles);
        return false;
      }),
      loop('unserved', unservedMs, async (signal) => {
        await membership?.firstBeatDone;
        return unservedLog.round(signal, duties.reconciles);
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
  observeNode(context, { isMine: duties.reconciles, loopAges, sweeper });
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
      void giveShardsBack();
      for (const session of context.sessions.all()) session.drain();
      context.cutReleases.stop();
      context.broker.stopReceiving?.();
      const over = new AbortController();
      const finish = async (): Promise<void> => {
        await settled();
        // An assignment without an acknowledgement would be released when its stream ends.
        const isWaiting = (): boolean =>
          [...context.sessions.all()].some((session) => session.hasUnacknowledged);
        while (isWaiting() && !over.signal.aborted) await clock.sleep(acknowledgedPollMs, over.signal);
      };
      await within(clock, limitMs, finish());
      over.abort();
      context.cutReleases.stopped();
    },
    async stop() {
      const stopped = Promise.all(loops.map((one) => one.stop()));
      await Promise.all([giveShardsBack(), withdrawWorkers()]);
      await stopped;
      await settled();
      context.leaseGrace.stop();
    },
  };
}
