import type { SqliteContext } from './context.ts';
import type { GroupCommitter } from './group-commit.ts';
import { dispatchLowest, placeAt } from './lanes.ts';

/** Rows looked at by one call: a fraction of a millisecond each thousand. */
const lookedAt = 2_000;

/**
 * Frees expired tasks, walking the file from its oldest task to its newest and then anew: with few exceptions tasks
 * expire in the order in which they were accepted, so that an index would cost every submit for nothing.
 */
export class Purge {
  readonly #context: SqliteContext;
  readonly #committer: GroupCommitter;
  #after = 0;
  /** The first expiry that this round met. */
  #firstMs = Number.MAX_SAFE_INTEGER;

  constructor(context: SqliteContext, committer: GroupCommitter) {
    this.#context = context;
    this.#committer = committer;
  }

  async run(nowMs: number, limit: number): Promise<number> {
    const { firstExpiryMs } = this.#context;
    if (firstExpiryMs > nowMs) return 0;
    const expired = this.#look(nowMs, limit);
    if (expired.length === 0) return 0;
    try {
      return await this.#committer.write(() => {
        for (const seq of expired) this.#delete(seq);
        // Numbers are never given again, even where the newest task is gone.
        this.#context.sql.keepSeq.run('seq', this.#context.lastSeq);
        return expired.length;
      });
    } catch (thrown) {
      // They are still there.
      this.#context.firstExpiryMs = 0;
      throw thrown;
    }
  }

  #look(nowMs: number, limit: number): number[] {
    const rows = this.#context.sql.expiries.all(this.#after, lookedAt) as unknown as [number, number][];
    const expired: number[] = [];
    for (const [seq, expiresAtMs] of rows) {
      if (expiresAtMs > nowMs) this.#firstMs = Math.min(this.#firstMs, expiresAtMs);
      else if (expired.push(seq) >= limit) {
        this.#after = seq;
        return expired;
      }
    }
    this.#after = rows.at(-1)?.[0] ?? this.#after;
    if (rows.length < lookedAt) this.#endRound();
    return expired;
  }

  #endRound(): void {
    this.#context.firstExpiryMs = this.#firstMs;
    this.#firstMs = Number.MAX_SAFE_INTEGER;
    this.#after = 0;
  }

  #delete(seq: number): void {
    const { sql, names, readyIndex, stats } = this.#context;
    const place = placeAt(this.#context, seq);
    if (place === undefined) return;
    const [, state, , , , queue, , , , laneSeq, ordering] = place;
    if (ordering !== null && laneSeq !== null) {
      sql.deletePointer.run(queue, ordering, laneSeq, seq);
    }
    stats.rowsWritten += 2;
    sql.deleteTask.run(seq);
    sql.deleteBody.run(seq);
    sql.deleteResult.run(seq);
    sql.deleteArchived.run(seq);
    names.moved(names.queueOf(queue), state, undefined);
    readyIndex.gone(seq);
    if (ordering !== null) dispatchLowest(this.#context, queue, ordering);
  }
}
