/**
 * Judges a run of `npm run lanes` from the histories of its tasks, the attempts that its workers noted in files, and
 * the acknowledgements that its submitters got.
 */
import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { AttemptRecord } from './ledger.ts';
import type { Acknowledgement } from './process-messages.ts';

/** A task as it is stored after the run. */
export interface TaskRecord {
  readonly id: string;
  readonly lane: string;
  readonly seq: number;
  readonly acceptedAtMs: number;
  /** The time at which the task ended. Undefined if it has not ended. */
  readonly endedAtMs: number | undefined;
  readonly events: readonly TaskEvent[];
}

export interface Evidence {
  readonly tasks: readonly TaskRecord[];
  readonly acknowledged: readonly Acknowledgement[];
  readonly begun: readonly AttemptRecord[];
}

export interface Judgement {
  /** Tasks that were claimed or begun before an earlier task of their lane had ended. */
  readonly startedEarly: readonly string[];
  /**
   * Tasks that were sent after another task of their lane was acknowledged, and yet stand before that task in the lane.
   */
  readonly committedEarly: readonly string[];
  /**
   * Tasks whose lease, or whose handler under a lease, overlapped in time with the lease or handler of another task of
   * their lane.
   */
  readonly overlapping: readonly string[];
  /** Tasks with an attempt that a worker began and that is in the history of no task. */
  readonly strays: readonly string[];
}

interface Lease {
  readonly id: string;
  readonly fencingToken: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** True if the lease ended without a settlement of its worker. */
  readonly lost: boolean;
}

export function leasesOf({ id, events }: TaskRecord): Lease[] {
  const leases: Lease[] = [];
  let open: { fencingToken: number; fromMs: number } | undefined;
  for (const event of events) {
    if (open !== undefined && event.kind !== 'cancelRequested') {
      const lost = event.kind === 'leaseExpired' || event.kind === 'claimReleased';
      leases.push({ id, ...open, untilMs: event.atMs, lost });
      open = undefined;
    }
    if (event.kind === 'claimed') open = { fencingToken: event.fencingToken, fromMs: event.atMs };
  }
  if (open !== undefined) leases.push({ id, ...open, untilMs: Number.POSITIVE_INFINITY, lost: false });
  return leases;
}

interface Span {
  readonly id: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Returns the ids of the spans that begin before an earlier span has ended. */
function overlaps(spans: readonly Span[]): string[] {
  const found: string[] = [];
  let on: Span | undefined;
  for (const span of spans.toSorted((a, b) => a.fromMs - b.fromMs || a.untilMs - b.untilMs)) {
    if (on !== undefined && span.fromMs < on.untilMs) found.push(span.id);
    if (on === undefined || span.untilMs > on.untilMs) on = span;
  }
  return found;
}

/** Returns the tasks in the order of their lane, each with the time at which the last task before it ended. */
export function turnsOf(lane: readonly TaskRecord[]): { task: TaskRecord; turnAtMs: number }[] {
  let turnAtMs = Number.NEGATIVE_INFINITY;
  return lane
    .toSorted((a, b) => a.seq - b.seq)
    .map((task) => {
      const turn = { task, turnAtMs };
      turnAtMs = Math.max(turnAtMs, task.endedAtMs ?? Number.POSITIVE_INFINITY);
      return turn;
    });
}

function judgeLane(lane: readonly TaskRecord[], begun: readonly AttemptRecord[]) {
  const leases = lane.flatMap(leasesOf);
  const leaseOf = new Map(leases.map((lease) => [`${lease.id} ${lease.fencingToken}`, lease]));
  const strays: string[] = [];
  const atWork: Span[] = [];
  for (const { id, fencingToken: token, beganAtMs, endedAtMs = Number.POSITIVE_INFINITY } of begun) {
    const lease = leaseOf.get(`${id} ${token}`);
    if (lease === undefined) strays.push(id);
    // A handler may run on after its lease was lost; its fencing token then protects its effects. The time after the
    // loss does not count.
    else if (!lease.lost) atWork.push({ id, fromMs: beganAtMs, untilMs: Math.min(endedAtMs, lease.untilMs) });
    else if (beganAtMs < lease.untilMs)
      atWork.push({ id, fromMs: beganAtMs, untilMs: Math.min(endedAtMs, lease.untilMs) });
  }
  const firstAtMs = new Map<string, number>();
  for (const { id, fromMs } of [...leases, ...atWork]) {
    firstAtMs.set(id, Math.min(fromMs, firstAtMs.get(id) ?? fromMs));
  }
  const startedEarly = turnsOf(lane)
    .filter(({ task, turnAtMs }) => (firstAtMs.get(task.id) ?? Number.POSITIVE_INFINITY) < turnAtMs)
    .map(({ task }) => task.id);
  return { startedEarly, overlapping: [...new Set([...overlaps(leases), ...overlaps(atWork)])], strays };
}

/**
 * Returns the tasks that break the order of commits: each of them was sent only after a task with a higher number in
 * the lane was acknowledged.
 */
function committedEarly(
  lane: readonly TaskRecord[],
  acknowledged: ReadonlyMap<string, Acknowledgement>,
): string[] {
  const found: string[] = [];
  let laterAtMs = Number.POSITIVE_INFINITY;
  for (const { id } of lane.toSorted((a, b) => b.seq - a.seq)) {
    const acknowledgement = acknowledged.get(id);
    if (acknowledgement === undefined) continue;
    if (laterAtMs < acknowledgement.sentAtMs) found.push(id);
    laterAtMs = Math.min(laterAtMs, acknowledgement.acknowledgedAtMs);
  }
  return found;
}

export function judge({ tasks, acknowledged, begun }: Evidence): Judgement {
  const laneOf = new Map(tasks.map(({ id, lane }) => [id, lane]));
  const begunIn = Map.groupBy(begun, ({ id }) => laneOf.get(id) ?? '');
  const acknowledgementOf = new Map(acknowledged.map((one) => [one.id, one]));
  const judgement = {
    startedEarly: [] as string[],
    committedEarly: [] as string[],
    overlapping: [] as string[],
    // Only the histories of acknowledged tasks were read, so an attempt of any other task is in none of them.
    strays: (begunIn.get('') ?? []).map(({ id }) => id),
  };
  for (const [name, lane] of Map.groupBy(tasks, (task) => task.lane)) {
    const { startedEarly, overlapping, strays } = judgeLane(lane, begunIn.get(name) ?? []);
    judgement.startedEarly.push(...startedEarly);
    judgement.overlapping.push(...overlapping);
    judgement.strays.push(...strays);
    judgement.committedEarly.push(...committedEarly(lane, acknowledgementOf));
  }
  return judgement;
}
