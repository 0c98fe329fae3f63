import { decodeLease } from '../../core/codec/lease.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Lease } from '../../core/task/lease.ts';

/** Enough to find the assignment again. Its payload is left where it lies. */
export type Claimed = Pick<Lease, 'id' | 'fencingToken' | 'receiptHandle'>;

interface Answer {
  readonly atMs: number;
  /** Grows when the answer is there. */
  bytes: number;
  readonly claimed: Promise<readonly Claimed[]>;
}

export interface Asking {
  claim(): Promise<readonly Assignment[]>;
  /** Those of them that still hold. */
  again(claimed: readonly Claimed[]): Promise<readonly Assignment[]>;
}

/** What an entry and a claim take beside their strings. */
const entryBytes = 512;
const claimedBytes = 128;

/** What was claimed within the last minute, by key, so that a caller whose answer was lost gets the same assignments. */
export class RecentClaims {
  readonly #answers = new Map<string, Answer>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing is no answer to be repeated: it, and one of which nothing holds any more, is asked for anew. */
  async once(key: string, nowMs: number, asking: Asking): Promise<readonly Assignment[]> {
    this.#forgetOld(nowMs);
    const known = this.#answers.get(key);
    if (known === undefined) return this.#first(key, nowMs, asking);
    const claimed = await known.claimed;
    const assignments = claimed.length === 0 ? [] : await asking.again(claimed);
    if (assignments.length > 0) return assignments;
    this.#forget(key, known);
    return this.once(key, nowMs, asking);
  }

  async #first(key: string, nowMs: number, asking: Asking): Promise<readonly Assignment[]> {
    const assigned = asking.claim();
    const claimed = assigned.then((tasks) => tasks.map(({ lease }) => decodeLease(lease)));
    const answer: Answer = { atMs: nowMs, bytes: 0, claimed };
    this.#answers.set(key, answer);
    this.#count(answer, key.length + entryBytes);
    try {
      const tasks = await claimed;
      if (tasks.length === 0) this.#forget(key, answer);
      else if (this.#answers.get(key) === answer) {
        this.#count(
          answer,
          tasks.reduce((sum, { receiptHandle }) => sum + receiptHandle.length + claimedBytes, 0),
        );
      }
    } catch {
      this.#forget(key, answer);
    }
    return assigned;
  }

  #count(answer: Answer, bytes: number): void {
    answer.bytes += bytes;
    this.#bytes += bytes;
  }

  #forget(key: string, answer: Answer): void {
    if (this.#answers.get(key) !== answer) return;
    this.#answers.delete(key);
    this.#bytes -= answer.bytes;
  }

  #forgetOld(nowMs: number): void {
    for (const [key, answer] of this.#answers) {
      if (nowMs - answer.atMs < timing.claimRepeatMs && this.#bytes <= limits.recentClaimBytes) break;
      this.#forget(key, answer);
    }
  }
}
