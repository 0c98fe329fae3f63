import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Handler } from '../contract/handler.ts';
import { Fifo } from '../fifo.ts';
import { AloneTask, AloneTasks } from './alone-tasks.ts';
import type { BufferedAssignment } from './buffered-assignment.ts';
import type { AssignmentOrigin } from './streams/work-connection.ts';

/** The tasks of one handler that wait for a slot, and the number of its running attempts. */
interface HandlerQueue {
  readonly handler: Handler;
  readonly limit: number;
  readonly waiting: Fifo<BufferedAssignment>;
  running: number;
}

/**
 * The slots (each for one running attempt) of a worker and of each of its handlers. A task needs a free slot of the
 * worker and one of its handler. Among the tasks whose handler has a free slot, the task that arrived first starts
 * first. Tasks that must run alone wait apart from the others (`AloneTasks`).
 */
export class Slots {
  readonly #queues = new Map<string, HandlerQueue>();
  readonly #allQueues: readonly HandlerQueue[];
  readonly #alone: AloneTasks;
  readonly concurrency: number;
  readonly #running = new Set<Assignment>();
  #waiting = 0;
  #seq = 0;

  /**
   * `aloneProcesses` returns the most tasks that run alone at one time, each in a process of its own; undefined if they run
   * in this process.
   */
  constructor(
    handlers: readonly Handler[],
    concurrency: number,
    aloneProcesses: () => number | undefined = () => undefined,
  ) {
    this.#alone = new AloneTasks(aloneProcesses);
    for (const handler of handlers) {
      const limit = Math.min(handler.concurrency ?? concurrency, concurrency);
      this.#queues.set(handler.task.name, { handler, limit, waiting: new Fifo(), running: 0 });
    }
    this.#allQueues = [...this.#queues.values()];
    this.concurrency = Math.min(
      concurrency,
      this.#allQueues.reduce((sum, queue) => sum + queue.limit, 0),
    );
  }

  /** The limits of the task types whose handlers may use fewer slots than the worker has. */
  get typeLimits(): ReadonlyMap<string, number> {
    const limited = [...this.#queues].filter(([, { limit }]) => limit < this.concurrency);
    return new Map(limited.map(([type, { limit }]) => [type, limit]));
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running.size;
  }

  /** True while the worker may begin no other task, because one waits to run alone or runs alone in this process. */
  get isHeld(): boolean {
    return this.#alone.holdsWorker;
  }

  /** The tasks that must run alone and wait for that. */
  get waitingAlone(): readonly AloneTask[] {
    return this.#alone.waiting;
  }

  /** The tasks that must run alone and wait for that while the worker begins other tasks. */
  get waitingBeside(): readonly AloneTask[] {
    return this.#alone.waitingBeside;
  }

  /** All tasks that wait for a slot or to run alone. */
  get allWaiting(): BufferedAssignment[] {
    return [...this.#alone.waiting, ...this.#allQueues.flatMap(({ waiting }) => waiting.toArray())];
  }

  handlerOf(type: string): Handler | undefined {
    return this.#queues.get(type)?.handler;
  }

  add(assignment: Assignment, handler: Handler, origin: AssignmentOrigin, nowMs: number): void {
    const queue = this.#queues.get(handler.task.name) as HandlerQueue;
    const task = { assignment, handler, seq: this.#seq++, receivedAtMs: nowMs, origin };
    if (assignment.alone) this.#alone.add(new AloneTask(task));
    else queue.waiting.push(task);
    this.#waiting++;
  }

  /**
   * Returns the next task to start and takes a slot for it. Returns undefined if no task waits that may begin, or if no
   * slot is free.
   */
  next(mayBegin: (task: BufferedAssignment) => boolean): BufferedAssignment | undefined {
    if (this.#waiting === 0 || this.running >= this.concurrency) return undefined;
    const alone = this.#nextAlone(mayBegin);
    if (alone !== undefined || this.isHeld) return alone;
    let first: HandlerQueue | undefined;
    let firstSeq = Number.POSITIVE_INFINITY;
    for (const queue of this.#allQueues) {
      const head = queue.waiting.peek();
      if (head === undefined || queue.running >= queue.limit || head.seq >= firstSeq) continue;
      if (!mayBegin(head)) continue;
      first = queue;
      firstSeq = head.seq;
    }
    if (first === undefined) return undefined;
    return this.#takeSlot(first.waiting.shift(), first);
  }

  #takeSlot(task: BufferedAssignment | undefined, queue: HandlerQueue): BufferedAssignment | undefined {
    if (task === undefined) return undefined;
    this.#waiting--;
    this.#running.add(task.assignment);
    queue.running++;
    return task;
  }

  #nextAlone(mayBegin: (task: BufferedAssignment) => boolean): BufferedAssignment | undefined {
    if (this.#alone.waiting.length === 0) return undefined;
    const queueOf = ({ handler }: BufferedAssignment): HandlerQueue =>
      this.#queues.get(handler.task.name) as HandlerQueue;
    const task = this.#alone.next(this.running, (one) => {
      const { running, limit } = queueOf(one);
      return running < limit && mayBegin(one);
    });
    return task === undefined ? undefined : this.#takeSlot(task, queueOf(task));
  }

  /** Removes and returns a task that waits for a slot, or undefined if the worker has not got it or has begun it. */
  take(id: string, fencingToken: number): BufferedAssignment | undefined {
    for (const { waiting } of this.#allQueues) {
      const taken = waiting.remove(
        ({ assignment }) => assignment.id === id && assignment.fencingToken === fencingToken,
      );
      if (taken === undefined) continue;
      this.#waiting--;
      return taken;
    }
    const alone = this.#alone.take(id, fencingToken);
    if (alone !== undefined) this.#waiting--;
    return alone;
  }

  /** Frees the slot of an attempt. Returns true if a task that waits to run alone holds the worker from now on. */
  ended({ assignment, handler }: Pick<BufferedAssignment, 'assignment' | 'handler'>): boolean {
    const queue = this.#queues.get(handler.task.name) as HandlerQueue;
    queue.running--;
    this.#running.delete(assignment);
    return this.#alone.ended(assignment);
  }

  /**
   * Returns the time at which the task that has waited longest for a slot has waited for 5 s and becomes stale;
   * undefined if no task waits. A task that must run alone becomes stale after 60 s.
   */
  staleAtMs(): number | undefined {
    let at: number | undefined;
    for (const { staleAtMs } of this.#alone.waiting) if (at === undefined || staleAtMs < at) at = staleAtMs;
    for (const { waiting } of this.#allQueues) {
      const head = waiting.peek();
      if (head === undefined) continue;
      const staleAtMs = head.receivedAtMs + timing.prefetchStartMs;
      if (at === undefined || staleAtMs < at) at = staleAtMs;
    }
    return at;
  }

  /**
   * Removes and returns the stale tasks, so that they can be released to other workers. With `nowMs` Infinity it returns
   * all tasks that wait.
   */
  takeStale(nowMs: number): BufferedAssignment[] {
    const out: BufferedAssignment[] = this.#alone.takeStale(nowMs, this.#running);
    for (const { waiting } of this.#allQueues) {
      for (let head = waiting.peek(); head !== undefined; head = waiting.peek()) {
        if (head.receivedAtMs + timing.prefetchStartMs > nowMs) break;
        out.push(head);
        waiting.shift();
      }
    }
    this.#waiting -= out.length;
    return out;
  }
}
