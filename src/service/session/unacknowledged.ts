import type { Assignment } from '../../core/messages.ts';

/** A stream that was given something and says nothing for so long has a worker that hangs. */
const silentMs = 1_000;

interface Given {
  readonly tasks: readonly Assignment[];
  readonly atMs: number;
}

/** What a stream was given and its worker has not yet said a word of. Times are of the monotonic clock. */
export class UnacknowledgedAssignments {
  readonly #given = new Map<number, Given>();
  #saidAtMs = Number.NEGATIVE_INFINITY;

  gave(seq: number, tasks: readonly Assignment[], nowMs: number): void {
    this.#given.set(seq, { tasks, atMs: nowMs });
  }

  /** The worker said something, whatever it was. */
  said(nowMs: number): void {
    this.#saidAtMs = nowMs;
  }

  /** All up to this number arrived. */
  arrived(seq: number): void {
    for (const given of this.#given.keys()) {
      if (given > seq) break;
      this.#given.delete(given);
    }
  }

  isUnresponsive(nowMs: number): boolean {
    if (this.#given.size === 0) return false;
    const [oldest] = this.#given.values();
    // What was said before it hung may have crossed with what it was given.
    return nowMs - Math.max(this.#saidAtMs, oldest?.atMs ?? 0) > silentMs;
  }

  /** Answers all of it, and forgets it. */
  takeAll(): (readonly Assignment[])[] {
    const all = [...this.#given.values()].map(({ tasks }) => tasks);
    this.#given.clear();
    return all;
  }
}
