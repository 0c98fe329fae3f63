import type { Client } from '../client/client.ts';
import { type Duration, durationMs } from '../client/duration.ts';
import { isEnd, type TaskStatus } from '../client/tasks/status.ts';
import type { Clock } from '../ports/clock.ts';
import { statusIfKept } from './status.ts';
import type { Submissions } from './submissions.ts';
import type { VirtualTime } from './time/virtual-time.ts';
import type { WorkerSeat } from './worker/worker-seat.ts';

/** How the tasks of a kit have ended. */
export interface DrainCounts {
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
  /** The tasks that have not ended: no worker takes them, or the time limit of `drain` was reached. */
  readonly unfinished: number;
}

export interface DrainParts {
  readonly clock: Clock;
  readonly time: VirtualTime;
  readonly client: Client;
  readonly submissions: Submissions;
  readonly seat: WorkerSeat;
}

const limitDefault: Duration = '365d';

export async function drain(
  parts: DrainParts,
  { limit = limitDefault }: { readonly limit?: Duration | undefined } = {},
): Promise<DrainCounts> {
  const { clock, time, seat } = parts;
  const endMs = clock.now() + durationMs(limit, 'limit');
  const tally = new Tally(parts);
  await time.rest();
  for (;;) {
    const unfinished = await tally.unfinished();
    const next = seat.inProgress > 0 ? clock.now() + stepMs : nextMsOf(unfinished, clock.now());
    if (next === undefined || clock.now() >= endMs) break;
    const changes = seat.changes;
    await time.advanceUntil(Math.min(next, endMs), () => seat.changes !== changes);
  }
  return tally.counts();
}

/** How far the time moves, in ms, before a drain looks again at tasks that are in progress. */
const stepMs = 60_000;
/** How long a lease may outlive its end, in ms, before its task is given to a worker again. */
const leaseSlackMs = 5_000;

/** Returns the earliest time at which an unfinished task can go on by itself; undefined if none can. */
function nextMsOf(unfinished: readonly TaskStatus[], nowMs: number): number | undefined {
  const times = unfinished.flatMap(({ state, runAt, leaseEndAt }) => {
    if (state === 'scheduled') return [runAt?.getTime() ?? nowMs];
    return leaseEndAt === undefined ? [] : [leaseEndAt.getTime() + leaseSlackMs];
  });
  return times.length === 0 ? undefined : Math.max(nowMs + 1, Math.min(...times));
}

/** Counts the tasks of a kit, and reads each of them until it has ended. */
class Tally {
  readonly #parts: DrainParts;
  readonly #counts = { succeeded: 0, dead: 0, cancelled: 0 };
  #known = 0;
  #unfinished: readonly string[] = [];

  constructor(parts: DrainParts) {
    this.#parts = parts;
  }

  async unfinished(): Promise<readonly TaskStatus[]> {
    const { client, submissions } = this.#parts;
    const ids = [...this.#unfinished, ...submissions.accepted.slice(this.#known).map(({ id }) => id)];
    this.#known = submissions.accepted.length;
    const read = await Promise.all(ids.map((id) => statusIfKept(client, id)));
    const left: TaskStatus[] = [];
    for (const status of read) {
      if (status === undefined) continue;
      if (isEnd(status.state)) this.#counts[status.state]++;
      else left.push(status);
    }
    this.#unfinished = left.map(({ id }) => id);
    return left;
  }

  counts(): DrainCounts {
    return { ...this.#counts, unfinished: this.#unfinished.length };
  }
}
