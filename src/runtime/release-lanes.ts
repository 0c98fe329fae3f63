/** Frees the lanes that dead tasks of a queue hold, after an operator has set the queue's `onDead` to `release`. */
import { type QueueRef, queueKey } from '../core/queue-ref.ts';
import { taskFields } from '../ports/task-fields.ts';
import type { Snapshot } from '../ports/task-store.ts';
import type { LaneRelease } from '../service/admin/queue-settings.ts';
import { commitCommand } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';

/** How many dead tasks are read at once, and so how many lanes are freed at once. */
const batch = 100;
/**
 * The time in ms after the change of the setting at which the last scan may begin. Other nodes read the setting within 5 s,
 * and a list on AWS may lag by seconds: a task that died meanwhile may hold its lane although an earlier scan has passed it.
 */
const lastScanAfterMs = 60_000;

/** One scan over the dead tasks of a queue, newest first. */
interface DeadScan {
  readonly release: LaneRelease;
  readonly beganAtMs: number;
  cursor: string | undefined;
  freed: number;
  hasFailures: boolean;
  isDone: boolean;
}

/** A queue whose lanes are to be freed. */
interface Ordered {
  readonly queue: QueueRef;
  readonly release: LaneRelease;
}

/**
 * Frees the lanes of each queue whose setting orders it, a batch at a time. It scans the queue's dead tasks at once, and again
 * a minute after the change; then it forgets the order. A crash begins the scan anew, which finds fewer tasks.
 */
export class LaneReleaser {
  readonly #context: ServiceContext;
  readonly #scans = new Map<string, DeadScan>();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** Frees one batch of lanes of each queue for which `isMine` returns true. Returns true if there is more to do at once. */
  async round(signal: AbortSignal, isMine: (queue: QueueRef) => boolean = () => true): Promise<boolean> {
    let more = false;
    for (const { tenant, queue: name, laneRelease: release, onDead } of this.#context.queues.all()) {
      if (signal.aborted) return false;
      const queue = { tenant, queue: name };
      if (release === undefined || onDead !== 'release' || !isMine(queue)) {
        this.#scans.delete(queueKey(queue));
        continue;
      }
      more = (await this.#step({ queue, release })) || more;
    }
    return more;
  }

  /** Returns true if the scan of the queue has not reached its end. A failure of one queue does not hold up the others. */
  async #step(ordered: Ordered): Promise<boolean> {
    const { log } = this.#context;
    const { queue } = ordered;
    const scan = this.#scanOf(ordered);
    if (scan === undefined) return false;
    try {
      await this.#freeBatch(queue, scan);
      if (scan.isDone) await this.#concluded(queue, scan);
      return !scan.isDone;
    } catch (err) {
      this.#scans.delete(queueKey(queue));
      log.warn({ err, ...queue }, 'could not free the lanes that dead tasks hold; it will be repeated');
      return false;
    }
  }

  /** Returns the scan to go on with, or undefined until the last scan may begin. */
  #scanOf({ queue, release }: Ordered): DeadScan | undefined {
    const key = queueKey(queue);
    const nowMs = this.#context.clock.now();
    const before = this.#scans.get(key);
    const isOrdered = before?.release.sinceMs === release.sinceMs;
    if (isOrdered && !before.isDone) return before;
    if (isOrdered && !before.hasFailures && nowMs < release.sinceMs + lastScanAfterMs) return undefined;
    const scan: DeadScan = {
      ...{ release, beganAtMs: nowMs, cursor: undefined },
      ...{ freed: 0, hasFailures: false, isDone: false },
    };
    this.#scans.set(key, scan);
    return scan;
  }

  async #freeBatch(queue: QueueRef, scan: DeadScan): Promise<void> {
    const { store, clock } = this.#context;
    const page = { limit: Math.min(batch, store.limits.pageItems), cursor: scan.cursor, nowMs: clock.now() };
    const { items, cursor } = await store.list({ ...queue, state: 'dead' }, page);
    const holders = items.filter(({ head }) => head.holdsLane);
    await Promise.all(holders.map((holder) => this.#free(holder, scan)));
    scan.cursor = cursor;
    scan.isDone = cursor === undefined;
  }

  async #free(holder: Snapshot, scan: DeadScan): Promise<void> {
    try {
      const { actor } = scan.release;
      const result = await commitCommand(this.#context, holder, { kind: 'releaseLane', actor });
      if (result.kind === 'done' && result.events.length > 0) scan.freed++;
    } catch (err) {
      const { tenant } = holder.submission.scope;
      const fields = { err, tenant, ...taskFields(holder) };
      if (!scan.hasFailures) this.#context.log.warn(fields, 'could not free a lane; trying again');
      scan.hasFailures = true;
    }
  }

  async #concluded(queue: QueueRef, { release, freed, hasFailures, beganAtMs }: DeadScan): Promise<void> {
    const { log, queues } = this.#context;
    const { actor } = release;
    if (freed > 0) log.info({ ...queue, actor, freed }, 'freed lanes that dead tasks held');
    if (hasFailures || beganAtMs < release.sinceMs + lastScanAfterMs) return;
    await queues.laneReleaseDone(queue, release);
    this.#scans.delete(queueKey(queue));
  }
}
