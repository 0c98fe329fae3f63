/**
 * Judges a run of `npm run deploys` from the histories of its tasks, the ledgers of its workers, and the record of the
 * signals and calls that the run sent.
 */
import { timing } from '../../../src/core/limits.ts';
import type { LeaseExpiredEvent, TaskEvent } from '../../../src/core/task/event.ts';
import type { HandlerCall } from './ledger.ts';

/** An acknowledged task as it is stored after the run. */
export interface TaskRecord {
  readonly id: string;
  readonly queue: string;
  readonly type: string;
  readonly maxAttempts: number;
  readonly events: readonly TaskEvent[];
}

/** A worker process. Its name in histories ends with `/` and its process id, and then its worker id. */
export interface WorkerRecord {
  readonly pid: number;
  readonly kind: string;
  readonly slots: number;
  readonly readyAtMs: number | undefined;
  /** The time of the run's SIGTERM. */
  readonly stoppedAtMs: number | undefined;
  /** How the process ended: after the run's signal, or by itself. */
  readonly end: { readonly atMs: number; readonly how: 'stopped' | 'byItself' } | undefined;
}

/** A call by which the run recalled a task: after a while no handler may begin for it. */
export interface Recall {
  readonly id: string;
  /** The time at which the call was answered. */
  readonly answeredAtMs: number;
  /** The time until which the recall holds: the call that resumed the queue. */
  readonly untilMs: number;
  /** How long after the answer the workers on the node that answered may still begin. */
  readonly nearMs: number;
  /** The same for workers on other nodes and for those that poll SQS themselves. */
  readonly farMs: number;
  /** The process ids of the workers on the node that answered. */
  readonly near: ReadonlySet<number>;
}

export interface Evidence {
  /** The ids of all acknowledged tasks. */
  readonly acknowledged: readonly string[];
  readonly tasks: readonly TaskRecord[];
  readonly calls: readonly HandlerCall[];
  readonly workers: readonly WorkerRecord[];
  readonly poison: string;
  /** The times at which a server was killed without a warning. */
  readonly serverKillsAtMs: readonly number[];
  readonly recalls: readonly Recall[];
  /** The ids of the tasks that the run tried to cancel. */
  readonly cancelled: ReadonlySet<string>;
}

/** One fault, at about the time at which it happened. */
export interface Fault {
  readonly id: string;
  readonly atMs: number;
  readonly text: string;
}

export interface Judgement {
  readonly lost: readonly Fault[];
  readonly innocentsDead: readonly Fault[];
  readonly attemptsNotBegun: readonly Fault[];
  readonly leasesLost: readonly Fault[];
  readonly begunAfterRecall: readonly Fault[];
  /**
   * Tasks that may begin only once, and whose worker's process ended by itself between the stored report of the beginning
   * and the call of the handler. No count of faults: nobody can know whether such a handler was called, so the task is dead.
   */
  readonly lostAtBegin: readonly Fault[];
  /** Tasks that may begin only once, and whose handler was called twice. */
  readonly begunTwice: readonly Fault[];
  /** Undefined if the poison is dead because its workers were lost; else how it is. */
  readonly poisonFault: string | undefined;
}

/** One claim of a task. */
interface ClaimRecord {
  readonly fencingToken: number;
  readonly attempt: number;
  readonly worker: string;
  readonly atMs: number;
  readonly expired: LeaseExpiredEvent | undefined;
  /** True if the claim used its attempt by a failure, by the task's death, or by a higher number of the next attempt. */
  readonly usedAttempt: boolean;
}

/**
 * The time between the first heartbeat that failed to renew a lease and the expiry: a lease and the guard of the clocks,
 * less one heartbeat.
 */
const unrenewedMs = timing.leaseMs + timing.clockGuardMs - timing.heartbeatMs;
/** The longest time from the claim of a task to the call of its handler that a busy worker takes, in ms. */
const beginMs = 2_000;
const usingReasons: readonly string[] = ['attempts', 'fatal', 'workerLost'];

/** Returns the claims in a history. */
export function claimsOf(events: readonly TaskEvent[]): ClaimRecord[] {
  const claims: { -readonly [Field in keyof ClaimRecord]: ClaimRecord[Field] }[] = [];
  let redriven = false;
  for (const event of events) {
    const last = claims.at(-1);
    switch (event.kind) {
      case 'claimed':
        if (last !== undefined && !redriven && event.attempt > last.attempt) last.usedAttempt = true;
        redriven = false;
        claims.push({
          fencingToken: event.fencingToken,
          attempt: event.attempt,
          worker: event.worker,
          atMs: event.atMs,
          ...{ expired: undefined, usedAttempt: false },
        });
        break;
      case 'leaseExpired':
        if (last !== undefined) last.expired = event;
        break;
      case 'failed':
        if (last !== undefined) last.usedAttempt = true;
        break;
      case 'died':
        // For other reasons, such as its deadline, a task may die while it waits.
        if (last !== undefined && usingReasons.includes(event.reason)) last.usedAttempt = true;
        break;
      case 'redriven':
        redriven = true;
        break;
    }
  }
  return claims;
}

/** Returns the process id in the name of a worker, which is host, process id and worker id, or NaN. */
export function pidOf(worker: string): number {
  return Number(worker.split('/').at(-2));
}

/** The calls of handlers, found by task and fencing token. */
class Calls {
  readonly #calls = new Map<string, HandlerCall>();
  readonly #ofTask: ReadonlyMap<string, readonly HandlerCall[]>;

  constructor(calls: readonly HandlerCall[]) {
    for (const call of calls) this.#calls.set(`${call.id} ${call.fencingToken}`, call);
    this.#ofTask = Map.groupBy(calls, ({ id }) => id);
  }

  of(id: string, fencingToken: number): HandlerCall | undefined {
    return this.#calls.get(`${id} ${fencingToken}`);
  }

  ofTask(id: string): readonly HandlerCall[] {
    return this.#ofTask.get(id) ?? [];
  }
}

const ends: readonly TaskEvent['kind'][] = ['succeeded', 'died', 'cancelled'];

function endOf({ events }: TaskRecord): TaskEvent | undefined {
  const last = events.at(-1);
  return last !== undefined && ends.includes(last.kind) ? last : undefined;
}

function lostFault(task: TaskRecord, calls: Calls, cancelled: ReadonlySet<string>): Fault | undefined {
  const end = endOf(task);
  const fault = (text: string): Fault => ({ id: task.id, atMs: task.events[0]?.atMs ?? 0, text });
  if (end === undefined) return fault('has no end');
  if (end.kind === 'succeeded' && calls.of(task.id, end.fencingToken)?.end?.how !== 'well')
    return fault('succeeded without a handler that ended well');
  if (end.kind === 'cancelled' && !cancelled.has(task.id))
    return fault('is cancelled, and nobody cancelled it');
  return undefined;
}

/** Returns true if the process of a worker ended by itself before this time. */
function isGone(workers: ReadonlyMap<number, WorkerRecord>, pid: number, atMs: number): boolean {
  const end = workers.get(pid)?.end;
  return end?.how === 'byItself' && end.atMs <= atMs;
}

/**
 * Returns the fault of a dead task. A task that may begin only once, and that began in a process that ended by itself,
 * must be dead.
 */
function deadFault(task: TaskRecord, calls: Calls, workers: ReadonlyMap<number, WorkerRecord>) {
  const end = endOf(task);
  if (end?.kind !== 'died') return undefined;
  if (task.maxAttempts === 1 && end.reason === 'workerLost') {
    const call = calls.ofTask(task.id)[0];
    if (call !== undefined && isGone(workers, call.pid, end.atMs)) return undefined;
  }
  return { id: task.id, atMs: end.atMs, text: `is dead: ${end.reason}, ${end.message}` };
}

/** Returns how a task was lost that may begin only once, if its worker ended before it called the handler. */
function lostAtBegin(task: TaskRecord, calls: Calls, workers: ReadonlyMap<number, WorkerRecord>) {
  const end = endOf(task);
  const claim = claimsOf(task.events).at(-1);
  if (task.maxAttempts !== 1 || end?.kind !== 'died' || end.reason !== 'workerLost') return undefined;
  if (claim?.expired?.begun !== 'yes' || calls.ofTask(task.id).length > 0) return undefined;
  const workerEnd = workers.get(pidOf(claim.worker))?.end;
  if (workerEnd?.how !== 'byItself') return undefined;
  const afterMs = workerEnd.atMs - claim.atMs;
  if (afterMs < 0 || afterMs > beginMs) return undefined;
  const text = `${task.type}: ${claim.worker} ended ${afterMs} ms after the claim, with the beginning reported`;
  return { id: task.id, atMs: workerEnd.atMs, text };
}

/** Returns the kinds of a task's events with their times in ms since the first one. */
function historyOf({ events }: TaskRecord): string {
  const firstMs = events[0]?.atMs ?? 0;
  return events.map(({ kind, atMs }) => `${kind} +${atMs - firstMs}`).join(', ');
}

function unusedFaults(task: TaskRecord, calls: Calls): Fault[] {
  return claimsOf(task.events)
    .filter((claim) => claim.usedAttempt && calls.of(task.id, claim.fencingToken) === undefined)
    .map(({ atMs, attempt, worker }) => {
      const text = `${task.type}: attempt ${attempt} on ${worker} was used and never began; ${historyOf(task)}`;
      return { id: task.id, atMs, text };
    });
}

/**
 * Returns the leases that were lost although their worker lived, or was stopped in order. A killed server takes with it
 * the assignments that it had not sent, so a lease is no fault if its handler never began and a server was killed
 * meanwhile.
 */
function leaseFaults(
  task: TaskRecord,
  calls: Calls,
  workers: ReadonlyMap<number, WorkerRecord>,
  serverKillsAtMs: readonly number[],
): Fault[] {
  return claimsOf(task.events).flatMap(({ fencingToken, worker, atMs, expired }) => {
    if (expired === undefined || !(expired.countsAsLoss || expired.begun === undefined)) return [];
    if (isGone(workers, pidOf(worker), expired.atMs)) return [];
    const began = calls.of(task.id, fencingToken) !== undefined;
    if (!began && serverKillsAtMs.some((killMs) => killMs >= atMs && killMs <= expired.atMs)) return [];
    const text = `the lease of ${worker} expired; its handler ${began ? 'had begun' : 'had not begun'}`;
    return [{ id: task.id, atMs: Math.max(atMs, expired.atMs - unrenewedMs), text }];
  });
}

function recallFaults({ id, answeredAtMs, untilMs, nearMs, farMs, near }: Recall, calls: Calls): Fault[] {
  return calls
    .ofTask(id)
    .filter(({ pid, beganAtMs }) => {
      const fromMs = answeredAtMs + (near.has(pid) ? nearMs : farMs);
      return beganAtMs > fromMs && beganAtMs < untilMs;
    })
    .map(({ pid, beganAtMs }) => {
      const where = near.has(pid) ? 'on the node that answered' : 'elsewhere';
      const text = `began ${where} ${beganAtMs - answeredAtMs} ms after its recall was answered`;
      return { id, atMs: beganAtMs, text };
    });
}

function poisonFaultOf(poison: TaskRecord | undefined): string | undefined {
  if (poison === undefined) return 'does not exist';
  const end = endOf(poison);
  if (end === undefined) return 'has not ended';
  if (end.kind !== 'died') return `ended as ${end.kind}`;
  return end.reason === 'workerLost' ? undefined : `is dead for another reason: ${end.reason}`;
}

export function judge(evidence: Evidence): Judgement {
  const { tasks, poison, cancelled, serverKillsAtMs, recalls } = evidence;
  const calls = new Calls(evidence.calls);
  const workers = new Map(evidence.workers.map((worker) => [worker.pid, worker]));
  const found = new Set(tasks.map(({ id }) => id));
  const innocents = tasks.filter(({ id }) => id !== poison);
  const missing = evidence.acknowledged
    .filter((id) => !found.has(id))
    .map((id): Fault => ({ id, atMs: 0, text: 'was acknowledged and does not exist' }));
  const atBegin = tasks.flatMap((task) => lostAtBegin(task, calls, workers) ?? []);
  const isLostAtBegin = (id: string): boolean => atBegin.some((fault) => fault.id === id);
  const others = tasks.filter(({ id }) => !isLostAtBegin(id));
  const isFault = (fault: Fault | undefined): fault is Fault => fault !== undefined;
  return {
    lost: [...missing, ...tasks.map((task) => lostFault(task, calls, cancelled)).filter(isFault)],
    innocentsDead: others
      .filter(({ id }) => id !== poison)
      .map((task) => deadFault(task, calls, workers))
      .filter(isFault),
    attemptsNotBegun: others.flatMap((task) => unusedFaults(task, calls)),
    leasesLost: innocents.flatMap((task) => leaseFaults(task, calls, workers, serverKillsAtMs)),
    begunAfterRecall: recalls.flatMap((recall) => recallFaults(recall, calls)),
    lostAtBegin: atBegin,
    begunTwice: tasks
      .filter(({ id, maxAttempts }) => maxAttempts === 1 && calls.ofTask(id).length > 1)
      .map(({ id }) => ({
        id,
        atMs: calls.ofTask(id)[1]?.beganAtMs ?? 0,
        text: 'may begin once and began twice',
      })),
    poisonFault: poisonFaultOf(tasks.find(({ id }) => id === poison)),
  };
}
