import { peekSpec } from '../../core/codec/spec.ts';
import type { Assignment } from '../../core/messages.ts';

/** A worker with unacknowledged assignments that sends nothing for longer than this time, in ms, counts as unresponsive. */
const unresponsiveMs = 1_000;

/** The tasks of one assignment that the worker has not received, and when the assignment was sent. */
interface SentAssignments {
  tasks: readonly Assignment[];
  readonly total: number;
  readonly atMs: number;
}

/**
 * The assignments that were sent on a stream and that its worker has not acknowledged yet. A worker counts as
 * unresponsive if it does not acknowledge them, or if it let a lease expire and has sent nothing since: a handler blocks
 * its thread. All times are monotonic.
 */
export class UnacknowledgedAssignments {
  readonly #sent = new Map<number, SentAssignments>();
  #lastMessageAtMs = Number.NEGATIVE_INFINITY;
  #hasLostLease = false;

  add(seq: number, tasks: readonly Assignment[], nowMs: number): void {
    this.#sent.set(seq, { tasks, total: tasks.length, atMs: nowMs });
  }

  get tasks(): number {
    return this.#sum((tasks) => tasks.length);
  }

  get bytes(): number {
    return this.#sum((tasks) => tasks.reduce((bytes, task) => bytes + task.spec.length, 0));
  }

  ofType(type: string): number {
    return this.#sum((tasks) => tasks.filter(({ spec }) => peekSpec(spec).type === type).length);
  }

  /** Records that the worker has sent a message of any kind. */
  recordMessage(nowMs: number): void {
    this.#lastMessageAtMs = nowMs;
    this.#hasLostLease = false;
  }

  /** Records that a lease of the worker has expired. */
  leaseLost(): void {
    this.#hasLostLease = true;
  }

  /**
   * Removes all assignments before the one with this sequence number, and the first `received` tasks of that one, because the
   * worker has received them. Without `received` it has received all of that one.
   */
  acknowledge(seq: number, received = Number.POSITIVE_INFINITY): void {
    for (const [sentSeq, sent] of this.#sent) {
      if (sentSeq > seq) break;
      if (sentSeq < seq || received >= sent.total) this.#sent.delete(sentSeq);
      else sent.tasks = sent.tasks.slice(sent.tasks.length - (sent.total - received));
    }
  }

  get isEmpty(): boolean {
    return this.#sent.size === 0;
  }

  isUnresponsive(nowMs: number): boolean {
    if (this.#hasLostLease) return true;
    if (this.#sent.size === 0) return false;
    const [oldest] = this.#sent.values();
    // The worker's last message may be older than its oldest unacknowledged assignment, so the time without a message is
    // measured from the later of the two.
    return nowMs - Math.max(this.#lastMessageAtMs, oldest?.atMs ?? 0) > unresponsiveMs;
  }

  /** Returns and removes all unacknowledged assignments. */
  takeAll(): (readonly Assignment[])[] {
    const all = [...this.#sent.values()].map(({ tasks }) => tasks);
    this.#sent.clear();
    return all;
  }

  #sum(of: (tasks: readonly Assignment[]) => number): number {
    let sum = 0;
    for (const { tasks } of this.#sent.values()) sum += of(tasks);
    return sum;
  }
}
