import type { DueEntry, TaskId } from '../ports/task-store.ts';
import { nextPause, type Pause } from './growing-pause.ts';

const range = { firstMs: 1_000, longestMs: 60_000 } as const;
/** So many failures in a queue at once, and no success: something is wrong with the queue, not with its tasks. */
const queueFailures = 10;
/** Some 8 MB. Those beyond are tried each time that they are met. */
export const mostRemembered = 50_000;
const mostQueues = 1_000;

interface PausedTask extends Pause {
  readonly dueAtMs: number;
  readonly queue: string;
}

/** How tries of one queue's tasks came out, made together. */
export interface Tries {
  readonly sent: number;
  readonly failed: number;
}

/**
 * Which due tasks are left alone for now, since they could not be helped: each by itself, or all of a queue that cannot be
 * rung. They stay due, and would be met first each time. Times are of the monotonic clock.
 */
export class Pauses {
  readonly #tasks = new Map<TaskId, PausedTask>();
  readonly #queues = new Map<string, Pause>();
  readonly #mostTasks: number;

  constructor(mostTasks = mostRemembered) {
    this.#mostTasks = mostTasks;
  }

  /** How many are remembered of each queue. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { queue } of this.#tasks.values()) counts.set(queue, (counts.get(queue) ?? 0) + 1);
    return counts;
  }

  /** Tasks that are remembered, paused or not. */
  get size(): number {
    return this.#tasks.size;
  }

  /** One that is due for another reason than when it failed is another case. */
  has({ id, dueAtMs }: DueEntry, nowMs: number): boolean {
    const task = this.#tasks.get(id);
    if (task === undefined || task.dueAtMs !== dueAtMs) return false;
    return task.untilMs > nowMs || this.hasQueue(task.queue, nowMs);
  }

  hasQueue(queue: string, nowMs: number): boolean {
    return (this.#queues.get(queue)?.untilMs ?? nowMs) > nowMs;
  }

  failed(entry: DueEntry, queue: string, nowMs: number): void {
    const before = this.#tasks.get(entry.id);
    this.#put(entry, queue, nextPause(before?.dueAtMs === entry.dueAtMs ? before : undefined, nowMs, range));
  }

  /** It was not tried, since its queue pauses. */
  leftAlone(entry: DueEntry, queue: string): void {
    if (this.#tasks.get(entry.id)?.dueAtMs !== entry.dueAtMs) this.#put(entry, queue, { ms: 0, untilMs: 0 });
  }

  helped(id: TaskId): void {
    this.#tasks.delete(id);
  }

  /** A queue that can be rung again has all its tasks tried at once. */
  judge(queue: string, { sent, failed }: Tries, nowMs: number): void {
    const before = this.#queues.get(queue);
    if (sent > 0) {
      if (!this.#queues.delete(queue)) return;
      for (const [id, task] of this.#tasks) if (task.queue === queue) this.#tasks.delete(id);
      return;
    }
    if (failed < queueFailures && (failed === 0 || before === undefined)) return;
    this.#queues.delete(queue);
    if (this.#queues.size < mostQueues) this.#queues.set(queue, nextPause(before, nowMs, range));
  }

  /** Forgets what nobody met again for some time, such as tasks that were cancelled or that another node looks after. */
  prune(nowMs: number): void {
    for (const [queue, { untilMs }] of this.#queues) {
      if (untilMs + 2 * range.longestMs < nowMs) this.#queues.delete(queue);
    }
    for (const [id, { untilMs, queue }] of this.#tasks) {
      if (untilMs + 2 * range.longestMs < nowMs && !this.#queues.has(queue)) this.#tasks.delete(id);
    }
  }

  #put(entry: DueEntry, queue: string, pause: Pause): void {
    // Those before stay: were the oldest forgotten, a round over more of them than there is room for would find none.
    if (!this.#tasks.has(entry.id) && this.#tasks.size >= this.#mostTasks) return;
    this.#tasks.set(entry.id, { dueAtMs: entry.dueAtMs, queue, ...pause });
  }
}
