/** Judges a run from the outside: what the histories, the workers' ledgers and the acknowledgements say together. */
import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { Begun } from './ledger.ts';
import type { Acknowledged } from './process-messages.ts';

/** A task as the store has it when all is over. */
export interface TaskRecord {
  readonly id: string;
  readonly lane: string;
  readonly seq: number;
  readonly acceptedAtMs: number;
  /** Undefined: it has not ended. */
  readonly endedAtMs: number | undefined;
  readonly events: readonly TaskEvent[];
}

export interface Evidence {
  readonly tasks: readonly TaskRecord[];
  readonly acknowledged: readonly Acknowledged[];
  readonly begun: readonly Begun[];
}

export interface Judgement {
  /** Tasks that were claimed, or begun by a worker, before one that was committed earlier in their lane had ended. */
  readonly startedEarly: readonly string[];
  /** Tasks that were sent only after a later one of their lane had been acknowledged. */
  readonly committedEarly: readonly string[];
  /** Tasks with a lease, or a handler at work under one, while another of their lane had one too. */
  readonly overlapping: readonly string[];
  /** Attempts that a worker began and of which no history tells. */
  readonly strays: readonly string[];
}

interface Lease {
  readonly id: string;
  readonly token: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** It was over before its worker said a word. */
  readonly lost: boolean;
}

export function leasesOf({ id, events }: TaskRecord): Lease[] {
  const leases: Lease[] = [];
  let open: { token: number; fromMs: number } | undefined;
  for (const event of events) {
    if (open !== undefined && event.kind !== 'cancelRequested') {
      const lost = event.kind === 'leaseExpired' || event.kind === 'claimReleased';
      leases.push({ id, ...open, untilMs: event.atMs, lost });
      open = undefined;
    }
    if (event.kind === 'claimed') open = { token: event.fencingToken, fromMs: event.atMs };
  }
  if (open !== undefined) leases.push({ id, ...open, untilMs: Number.POSITIVE_INFINITY, lost: false });
  return leases;
}

interface Span {
  readonly id: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Ids of those that begin while another one is on. */
function overlaps(spans: readonly Span[]): string[] {
  const found: string[] = [];
  let on: Span | undefined;
  for (const span of spans.toSorted((a, b) => a.fromMs - b.fromMs || a.untilMs - b.untilMs)) {
    if (on !== undefined && span.fromMs < on.untilMs) found.push(span.id);
    if (on === undefined || span.untilMs > on.untilMs) on = span;
  }
  return found;
}

/** When the last of those before each task ended; the tasks in the order of their lane. */
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

function judgeLane(lane: readonly TaskRecord[], begun: readonly Begun[]) {
  const leases = lane.flatMap(leasesOf);
  const leaseOf = new Map(leases.map((lease) => [`${lease.id} ${lease.token}`, lease]));
  const strays: string[] = [];
  const atWork: Span[] = [];
  for (const { id, token, beganAtMs, endedAtMs = Number.POSITIVE_INFINITY } of begun) {
    const lease = leaseOf.get(`${id} ${token}`);
    if (lease === undefined) strays.push(id);
    // What a worker does after it lost its lease is not ordered: for that there is the token.
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

/** Of those acknowledged: the lane's numbers are in the order of commits only if none of these is found. */
function committedEarly(
  lane: readonly TaskRecord[],
  acknowledged: ReadonlyMap<string, Acknowledged>,
): string[] {
  const found: string[] = [];
  let laterAtMs = Number.POSITIVE_INFINITY;
  for (const { id } of lane.toSorted((a, b) => b.seq - a.seq)) {
    const said = acknowledged.get(id);
    if (said === undefined) continue;
    if (laterAtMs < said.sentAtMs) found.push(id);
    laterAtMs = Math.min(laterAtMs, said.acknowledgedAtMs);
  }
  return found;
}

export function judge({ tasks, acknowledged, begun }: Evidence): Judgement {
  const laneOf = new Map(tasks.map(({ id, lane }) => [id, lane]));
  const begunIn = Map.groupBy(begun, ({ id }) => laneOf.get(id) ?? '');
  const saidOf = new Map(acknowledged.map((one) => [one.id, one]));
  const judgement = {
    startedEarly: [] as string[],
    committedEarly: [] as string[],
    overlapping: [] as string[],
    // Of a task that was never acknowledged.
    strays: (begunIn.get('') ?? []).map(({ id }) => id),
  };
  for (const [name, lane] of Map.groupBy(tasks, (task) => task.lane)) {
    const { startedEarly, overlapping, strays } = judgeLane(lane, begunIn.get(name) ?? []);
    judgement.startedEarly.push(...startedEarly);
    judgement.overlapping.push(...overlapping);
    judgement.strays.push(...strays);
    judgement.committedEarly.push(...committedEarly(lane, saidOf));
  }
  return judgement;
}
