import { peekSpec } from '../../core/codec/spec.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Handler } from '../contract/handler.ts';
import type { AloneTask } from './alone-tasks.ts';
import { logFields } from './attempt.ts';
import { logWaitsAlone } from './attempt-log.ts';
import type { Attempts, StopCause } from './attempts.ts';
import { BeginningTasks } from './beginning-tasks.ts';
import { type BufferedAssignment, giveBackAtMs } from './buffered-assignment.ts';
import type { WorkerParts } from './running.ts';
import type { Slots } from './slots.ts';
import type { CreditBalance } from './streams/credit-balance.ts';
import type { AssignmentOrigin } from './streams/work-connection.ts';
import type { WorkStream } from './streams/work-stream.ts';

/** The parts of a worker that decide which of its assigned tasks begin. */
interface AssignedTasksParts extends Pick<WorkerParts, 'clock' | 'log' | 'beginsAtOnce'> {
  readonly slots: Slots;
  readonly credits: CreditBalance;
  readonly attempts: Attempts;
  readonly workStream: WorkStream;
  /** Called with the time on the monotonic clock at which `giveBackStale` must be called, or a heartbeat is due. */
  due(atMs: number): void;
  /** Reports that the handler of a task was not called. `handler` is undefined if the worker has none for its type. */
  giveBack(assignment: Assignment, handler: Handler | undefined): void;
}

/** The tasks that a worker was assigned and whose handlers it has not called: it begins them, or gives them back. */
export class AssignedTasks {
  readonly #parts: AssignedTasksParts;
  readonly #beginning = new BeginningTasks();
  #beginScheduled = false;

  constructor(parts: AssignedTasksParts) {
    this.#parts = parts;
  }

  /** Takes the tasks of one assignment. `current` is false if it came on a stream that the server drains. */
  add(tasks: readonly Assignment[], { connection, place }: AssignmentOrigin, current: boolean): void {
    const { clock, credits, attempts, slots } = this.#parts;
    const nowMs = clock.monotonic();
    for (const [i, task] of tasks.entries()) {
      const handler = this.#handlerFor(task);
      credits.assigned(handler?.task.name ?? '', task.spec.length, current);
      if (handler === undefined || credits.stopped) this.#parts.giveBack(task, handler);
      else if (attempts.get(task.id)?.assignment.fencingToken === task.fencingToken)
        credits.dropped(handler.task.name, task.spec.length);
      else slots.add(task, handler, { connection, place: place + i }, nowMs);
    }
    this.begin();
    const staleAtMs = slots.staleAtMs();
    if (staleAtMs !== undefined) this.#parts.due(staleAtMs);
    if (tasks.some(({ alone }) => alone)) this.#addedAlone(tasks);
  }

  /**
   * Begins as many waiting tasks as there are free slots. A worker that fetches ahead first reports the tasks to the
   * server, so that the server never takes a task that has begun for one that waits. Every worker does so for a task that
   * must run alone, because it may have waited for that.
   */
  begin(): void {
    const { beginsAtOnce, clock, slots, workStream } = this.#parts;
    const nowMs = clock.monotonic();
    const ready: BufferedAssignment[] = [];
    const late: BufferedAssignment[] = [];
    const mustReport = ({ assignment }: BufferedAssignment): boolean => !beginsAtOnce || assignment.alone;
    const mayBegin = (task: BufferedAssignment): boolean =>
      !mustReport(task) || workStream.canReport(task.origin);
    for (let next = slots.next(mayBegin); next !== undefined; next = slots.next(mayBegin)) {
      if (nowMs < giveBackAtMs(next)) ready.push(next);
      else {
        this.ended(next);
        late.push(next);
      }
    }
    this.#giveBackAll(late);
    if (ready.length === 0) return;
    const reported = beginsAtOnce ? ready.filter(mustReport) : ready;
    for (const task of ready) if (!reported.includes(task)) this.#start(task);
    if (reported.length === 0) return;
    this.#beginning.begin(reported, workStream.reportBegun(reported), (task) => this.#startInTime(task));
    const lateAtMs = this.#beginning.nextGiveBackAtMs;
    if (lateAtMs !== undefined) this.#parts.due(lateAtMs);
  }

  /** Frees the slot of a task whose attempt has ended, or whose handler was not called. */
  ended(task: Pick<BufferedAssignment, 'assignment' | 'handler'>): void {
    if (this.#parts.slots.ended(task)) this.#takeCreditBackSoon();
  }

  /** Begins waiting tasks once all attempts that end now have freed their slots, so that one message reports them. */
  beginSoon(): void {
    if (this.#beginScheduled || this.#parts.slots.waiting === 0) return;
    this.#beginScheduled = true;
    void Promise.resolve().then(() => {
      this.#beginScheduled = false;
      this.begin();
    });
  }

  /** Gives a task back whose handler was not called. Does nothing if the worker has not got it, or has begun it. */
  recall(id: string, fencingToken: number): void {
    const recalled = this.#take(id, fencingToken);
    if (recalled === undefined) return;
    this.#giveBackAll([recalled]);
    this.beginSoon();
  }

  /** Gives up a task that waits to run alone, because the server answered its heartbeat with this cause. */
  stopWaiting({ assignment }: AloneTask, cause: StopCause): void {
    const { id, fencingToken } = assignment;
    if (cause !== 'leaseLost') {
      this.recall(id, fencingToken);
      return;
    }
    const { credits } = this.#parts;
    const waiting = this.#take(id, fencingToken);
    if (waiting === undefined) return;
    credits.dropped(waiting.handler.task.name, assignment.spec.length);
    credits.replenishSoon();
    this.beginSoon();
  }

  /** Gives all tasks back whose handlers were not called. */
  giveBackAll(): void {
    const { slots } = this.#parts;
    const beginning = this.#beginning.takeLate(Number.POSITIVE_INFINITY);
    for (const task of beginning) this.ended(task);
    this.#giveBackAll(beginning);
    this.#giveBackAll(slots.takeStale(Number.POSITIVE_INFINITY));
  }

  /** The time at which `giveBackStale` must be called next; undefined if no task waits. */
  get giveBackDueAtMs(): number | undefined {
    const times = [this.#parts.slots.staleAtMs(), this.#beginning.nextGiveBackAtMs];
    const next = Math.min(...times.map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(next) ? next : undefined;
  }

  /** The tasks that must run alone and have not begun: their leases are renewed. */
  get waitingAlone(): readonly AloneTask[] {
    const waiting = this.#parts.slots.waitingAlone;
    const beginning = this.#beginning.alone;
    return beginning.length === 0 ? waiting : [...waiting, ...beginning];
  }

  /** Gives the tasks back that have waited too long for a slot, or for the report of their beginning to be sent. */
  giveBackStale(nowMs: number): void {
    const late = this.#beginning.takeLate(nowMs);
    for (const task of late) this.ended(task);
    const stale = [...late, ...this.#parts.slots.takeStale(nowMs)];
    this.#giveBackAll(stale);
    // A task that was given back may have held up the others.
    if (stale.length > 0) this.beginSoon();
  }

  /** Keeps the leases of tasks that wait to run alone. If they hold the worker, takes back the credit for other tasks. */
  #addedAlone(tasks: readonly Assignment[]): void {
    const { slots, log } = this.#parts;
    for (const { nextHeartbeatAtMs } of this.waitingAlone) this.#parts.due(nextHeartbeatAtMs);
    if (!slots.isHeld) {
      this.#parts.credits.replenishSoon();
      return;
    }
    this.#takeCreditBackSoon();
    for (const { assignment, handler } of slots.waitingAlone)
      if (tasks.includes(assignment)) logWaitsAlone(log, { assignment }, handler.task.name, slots.running);
  }

  /** Takes back the credit for other tasks if a task that must run alone still holds the worker then. */
  #takeCreditBackSoon(): void {
    const { slots, workStream } = this.#parts;
    // The server counts a task that is not acknowledged yet against the new credit.
    void Promise.resolve().then(() => {
      if (slots.isHeld) workStream.resetCredit();
    });
  }

  /**
   * Returns the handler for an assigned task. If there is none, it logs an error, because the server should not
   * assign such a task, and returns undefined; the caller then gives the task back.
   */
  #handlerFor(task: Assignment): Handler | undefined {
    const { type, typeVersion } = peekSpec(task.spec);
    const handler = this.#parts.slots.handlerOf(type);
    if (handler !== undefined && typeVersion <= handler.task.contract.version) return handler;
    this.#parts.log.error(
      { ...logFields({ assignment: task }), type, typeVersion },
      'the server assigned a task that this worker does not handle',
    );
    return undefined;
  }

  /** Removes and returns a task whose handler was not called, and frees its slot if it has one. */
  #take(id: string, fencingToken: number): BufferedAssignment | undefined {
    const { slots } = this.#parts;
    const beginning = this.#beginning.take(id, fencingToken);
    if (beginning === undefined) return slots.take(id, fencingToken);
    this.ended(beginning);
    return beginning;
  }

  /**
   * Starts a task whose beginning was reported. The report may have waited for the socket: a task that must not begin any
   * more is given back.
   */
  #startInTime(task: BufferedAssignment): void {
    if (this.#parts.clock.monotonic() < giveBackAtMs(task)) {
      this.#start(task);
      return;
    }
    this.ended(task);
    this.#giveBackAll([task]);
    this.beginSoon();
  }

  #start(task: BufferedAssignment): void {
    const { credits, attempts, beginsAtOnce } = this.#parts;
    const { alone, maxAttempts, recordsBegin } = task.assignment;
    credits.begun(task.handler.task.name);
    attempts.start(task, alone || (!beginsAtOnce && (maxAttempts === 1 || recordsBegin)));
  }

  #giveBackAll(tasks: readonly BufferedAssignment[]): void {
    for (const { assignment, handler } of tasks) this.#parts.giveBack(assignment, handler);
  }
}
