import { invalid } from '../../core/errors.ts';
import { AdminService, OnDead, type Queue } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import type { Caller } from '../calls.ts';

/** The rule for a lane whose task dies: `release` runs the next task of the lane, `hold` lets the lane wait. */
export type OnDeadRule = 'release' | 'hold';

/** A queue with its settings and the numbers of its tasks. */
export interface QueueStatus {
  readonly tenant: string;
  /** The name, unique within the tenant. */
  readonly name: string;
  /** True if its tasks are not given to workers. */
  readonly paused: boolean;
  /** Who paused it, when, why and until when; undefined if it is not paused, or was paused by a server of 0.1.0. */
  readonly pause: QueuePause | undefined;
  readonly onDead: OnDeadRule;
  /** The number of its workers on all servers of the store. */
  readonly workers: number;
  /** The numbers of its tasks by state. */
  readonly counts: QueueCounts;
}

/** The pause of a queue. */
export interface QueuePause {
  readonly since: Date;
  /** The identity that paused the queue, or changed the reason or the end of the pause. */
  readonly actor: string;
  /** The reason that was given. */
  readonly reason: string | undefined;
  /** When a server resumes the queue; undefined: only `resume` ends the pause. */
  readonly until: Date | undefined;
}

/** The numbers of a queue's tasks by state. */
export interface QueueCounts {
  readonly scheduled: number;
  readonly ready: number;
  readonly reserved: number;
  readonly running: number;
  /** The dead tasks that are still kept. */
  readonly dead: number;
  /** True if each number is a lower bound: on AWS the newest 1,000 tasks and the newest 1,000 dead tasks are counted. */
  readonly atLeast: boolean;
}

/** The queues of the client's tenant: `client.queues`. Reading needs the permission `read`, changing needs `admin`. */
export interface Queues {
  /** Reads all queues that this client may read. Each is counted, which on AWS costs up to about 2,000 read units a queue. */
  list(): Promise<readonly QueueStatus[]>;
  /** Reads one queue. @throws HoldfastError NOT_FOUND, reason QUEUE_UNKNOWN, if it does not exist. */
  get(name: string): Promise<QueueStatus>;
  /**
   * Creates a queue before its first submission; a queue that exists gets the settings that are given. On AWS
   * `holdfast aws init` creates queues, and this call is refused.
   */
  create(
    name: string,
    settings?: QueueSettings & { readonly paused?: boolean | undefined },
  ): Promise<QueueStatus>;
  /** Changes the settings of a queue. `onDead: 'release'` also frees the lanes that dead tasks hold now. */
  set(name: string, settings: QueueSettings): Promise<QueueStatus>;
  /**
   * Gives no more tasks of a queue to workers; submissions are accepted, and running tasks go on. A pause of a paused
   * queue changes nothing, unless it has a reason or an end, which then replace both.
   *
   * @example
   * ```ts
   * await client.queues.pause('mail', { reason: 'the relay is down', until: new Date(Date.now() + 3_600_000) });
   * ```
   */
  pause(name: string, options?: PauseOptions): Promise<QueueStatus>;
  /** Gives the tasks of a paused queue to workers again. */
  resume(name: string): Promise<QueueStatus>;
}

/** Settings of a queue. */
export interface QueueSettings {
  /** The rule for a lane whose task dies. Default: no change; a new queue has `release`. */
  readonly onDead?: OnDeadRule | undefined;
}

/** Options of `client.queues.pause`. */
export interface PauseOptions {
  /** Why the queue is paused, at most 1,024 characters. Default: none. */
  readonly reason?: string | undefined;
  /** When a server resumes the queue, within 10 s of this time; at most 365 days ahead. Default: only `resume` ends it. */
  readonly until?: Date | undefined;
}

const onDeadNumbers: Readonly<Record<OnDeadRule, OnDead>> = { release: OnDead.RELEASE, hold: OnDead.HOLD };

/** Converts an on-dead rule to its number on the wire; no rule means no change. */
export function onDeadNumber(rule: OnDeadRule | undefined): OnDead {
  if (rule === undefined) return OnDead.UNSPECIFIED;
  if (Object.hasOwn(onDeadNumbers, rule)) return onDeadNumbers[rule];
  throw invalid([{ field: 'onDead', description: `is ${String(rule)}; release or hold` }]);
}

/** Converts a protobuf queue to a QueueStatus. */
export function queueStatusOf({ tenant, name, paused, pause, onDead, workers, counts }: Queue): QueueStatus {
  return {
    ...{ tenant, name, paused, workers },
    onDead: onDead === OnDead.HOLD ? 'hold' : 'release',
    pause: pause && {
      since: new Date(Number(pause.sinceMs)),
      actor: pause.actor,
      reason: pause.reason || undefined,
      until: pause.untilMs === 0n ? undefined : new Date(Number(pause.untilMs)),
    },
    counts: {
      scheduled: Number(counts?.scheduled ?? 0),
      ready: Number(counts?.ready ?? 0),
      reserved: Number(counts?.reserved ?? 0),
      running: Number(counts?.running ?? 0),
      dead: Number(counts?.dead ?? 0),
      atLeast: counts?.atLeast ?? false,
    },
  };
}

function untilMs(until: Date | undefined): bigint {
  if (until === undefined) return 0n;
  const ms = until instanceof Date ? until.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalid([{ field: 'until', description: 'is not a valid Date' }]);
  return BigInt(ms);
}

/** Returns `client.queues`. */
export function createQueues(caller: Pick<Caller, 'call'>, tenant: string): Queues {
  const { listQueues, getQueue, updateQueue, pauseQueue, resumeQueue } = AdminService.method;
  const changed = ({ queue }: { readonly queue?: Queue | undefined }): QueueStatus => {
    if (queue === undefined) throw new Error('the server answered without a queue');
    return queueStatusOf(queue);
  };
  return {
    async list() {
      const { queues } = await caller.call(listQueues, { tenant });
      return queues.map(queueStatusOf);
    },
    get: async (name) => changed(await caller.call(getQueue, { tenant, name })),
    async create(name, { onDead, paused = false } = {}) {
      const request = { tenant, name, create: true };
      const rule = onDeadNumber(onDead);
      // The queue is paused first, so that no worker gets a task of it in between.
      if (paused) await caller.call(pauseQueue, request);
      return changed(await caller.call(updateQueue, { ...request, onDead: rule }));
    },
    async set(name, { onDead }) {
      return changed(await caller.call(updateQueue, { tenant, name, onDead: onDeadNumber(onDead) }));
    },
    async pause(name, { reason = '', until } = {}) {
      return changed(await caller.call(pauseQueue, { tenant, name, reason, untilMs: untilMs(until) }));
    },
    resume: async (name) => changed(await caller.call(resumeQueue, { tenant, name })),
  };
}
