import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Progress } from '../../core/task/head.ts';
import type { Handler } from '../contract/handler.ts';
import type { BufferedAssignment } from './buffered-assignment.ts';
import type { RenewedLease } from './streams/heartbeats.ts';
import type { AssignmentOrigin } from './streams/work-connection.ts';

/**
 * An assigned task that must run alone and waits for that. Its lease is renewed meanwhile, because the wait may take
 * longer than a lease. All times are on the monotonic clock.
 */
export class AloneTask implements BufferedAssignment, RenewedLease {
  readonly assignment: Assignment;
  readonly handler: Handler;
  readonly seq: number;
  readonly receivedAtMs: number;
  readonly origin: AssignmentOrigin;
  readonly begun = false;
  readonly stopping = false;
  nextHeartbeatAtMs: number;
  lastHeartbeatAtMs = Number.NEGATIVE_INFINITY;
  heartbeatInFlight = false;
  progress: Progress | undefined;
  /** True after the task has begun or was given back. */
  over = false;

  constructor({ assignment, handler, seq, receivedAtMs, origin }: BufferedAssignment) {
    this.assignment = assignment;
    this.handler = handler;
    this.seq = seq;
    this.receivedAtMs = receivedAtMs;
    this.origin = origin;
    this.nextHeartbeatAtMs = receivedAtMs + assignment.leaseMs / 3;
  }

  /** The time at which the task is given back if it has not begun. */
  get staleAtMs(): number {
    return this.receivedAtMs + timing.aloneStartMs;
  }
}

/**
 * The tasks of a worker that must run alone, because each of them has lost two workers. There are two modes:
 *
 * - In the worker's own process such a task begins once nothing else runs there, and until it has ended the worker begins
 *   nothing else (`holdsWorker`). If the worker was not idle within 60 s, it gives the task back, and begins other tasks
 *   beside those that wait until all attempts that it had waited for have ended: a long one may run for hours.
 * - If the worker runs each of them in a process of its own, they begin beside the other tasks, in at most `processes`
 *   processes at one time.
 */
export class AloneTasks {
  readonly #processesNow: () => number | undefined;
  #waiting: AloneTask[] = [];
  #running = 0;
  /** The attempts that ran when the worker had waited for 60 s in vain, as far as they still run. */
  readonly #waitedFor = new Set<Assignment>();

  /** `processes` returns undefined if the tasks run in the worker's own process, which may change once. */
  constructor(processes: () => number | undefined) {
    this.#processesNow = processes;
  }

  get #processes(): number | undefined {
    return this.#processesNow();
  }

  get waiting(): readonly AloneTask[] {
    return this.#waiting;
  }

  /** True while the worker may begin no other task, because one waits to run alone or runs alone. */
  get holdsWorker(): boolean {
    if (this.#processes !== undefined) return false;
    return this.#running > 0 || (this.#waiting.length > 0 && this.#waitedFor.size === 0);
  }

  /** The tasks that wait while the worker begins other tasks in the same process. */
  get waitingBeside(): readonly AloneTask[] {
    return this.#waitedFor.size > 0 && !this.holdsWorker ? this.#waiting : [];
  }

  add(task: AloneTask): void {
    this.#waiting.push(task);
  }

  /** Removes and returns the next task that may begin while `running` attempts run in the worker. */
  next(running: number, mayBegin: (task: AloneTask) => boolean): AloneTask | undefined {
    const isFree = this.#processes === undefined ? running === 0 : this.#running < this.#processes;
    if (!isFree) return undefined;
    const task = this.#waiting.find(mayBegin);
    if (task === undefined) return undefined;
    // Its lease is renewed until the report of its beginning was sent.
    this.#waiting = this.#waiting.filter((one) => one !== task);
    this.#running++;
    return task;
  }

  take(id: string, fencingToken: number): AloneTask | undefined {
    const task = this.#waiting.find(
      ({ assignment }) => assignment.id === id && assignment.fencingToken === fencingToken,
    );
    if (task !== undefined) this.#remove([task]);
    return task;
  }

  /**
   * Removes and returns the tasks that have waited for 60 s because the `running` attempts did not end. With `nowMs`
   * Infinity it returns all tasks that wait.
   */
  takeStale(nowMs: number, running: Iterable<Assignment>): AloneTask[] {
    const stale = this.#waiting.filter(({ staleAtMs }) => staleAtMs <= nowMs);
    if (stale.length === 0) return stale;
    this.#remove(stale);
    if (this.#processes === undefined && this.#waitedFor.size === 0 && Number.isFinite(nowMs))
      for (const assignment of running) this.#waitedFor.add(assignment);
    return stale;
  }

  /** Called when an attempt of the worker has ended. Returns true if a waiting task holds the worker from now on. */
  ended(assignment: Assignment): boolean {
    if (assignment.alone) this.#running--;
    return this.#waitedFor.delete(assignment) && this.#waitedFor.size === 0 && this.#waiting.length > 0;
  }

  #remove(tasks: readonly AloneTask[]): void {
    this.#waiting = this.#waiting.filter((task) => !tasks.includes(task));
    for (const task of tasks) task.over = true;
  }
}
