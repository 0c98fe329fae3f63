import type { SqliteContext } from './context.ts';
import type { GroupCommitter } from './group-commit.ts';
import { dispatchLowest, taskStateAt } from './lanes.ts';
import { snapshotAt } from './snapshots.ts';

/** The number of task rows that one call of a purge examines. A thousand rows take a fraction of a millisecond. */
const rowsPerCall = 2_000;

/**
 * Deletes expired tasks. Scans the SQLite table from the oldest task to the newest and then starts again. Tasks expire
 * nearly in the order in which they were accepted, so an index on the expiry would slow down each submission for
 * nothing.
 */
export class Purge {
  readonly #context: SqliteContext;
  readonly #committer: GroupCommitter;
  #afterSeq = 0;
  /** The earliest expiry in ms of the unexpired tasks that the current scan has examined. */
  #earliestExpiryMs = Number.MAX_SAFE_INTEGER;

  constructor(context: SqliteContext, committer: GroupCommitter) {
    this.#context = context;
    this.#committer = committer;
  }

  async run(nowMs: number, limit: number): Promise<number> {
    if (this.#context.earliestExpiryMs > nowMs) return 0;
    const expired = this.#findExpired(nowMs, limit);
    if (expired.length === 0) return 0;
    try {
      return await this.#committer.write(() => {
        for (const seq of expired) this.#delete(seq);
        // The table `counter` keeps the highest row number, so that the number is not given again once the newest task
        // is deleted.
        this.#context.sql.saveSeq.run('seq', this.#context.lastSeq);
        return expired.length;
      });
    } catch (thrown) {
      // The transaction failed, so the expired tasks are still in the file.
      this.#context.earliestExpiryMs = 0;
      throw thrown;
    }
  }

  #findExpired(nowMs: number, limit: number): number[] {
    const rows = this.#context.sql.expiries.all(this.#afterSeq, rowsPerCall) as unknown as [number, number][];
    const expired: number[] = [];
    for (const [seq, expiresAtMs] of rows) {
      if (expiresAtMs > nowMs) this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
      else if (expired.push(seq) >= limit) {
        this.#afterSeq = seq;
        return expired;
      }
    }
    this.#afterSeq = rows.at(-1)?.[0] ?? this.#afterSeq;
    if (rows.length < rowsPerCall) this.#endScan();
    return expired;
  }

  #endScan(): void {
    this.#context.earliestExpiryMs = this.#earliestExpiryMs;
    this.#earliestExpiryMs = Number.MAX_SAFE_INTEGER;
    this.#afterSeq = 0;
  }

  #delete(seq: number): void {
    const { sql, names, keys, readyIndex, stats } = this.#context;
    const row = taskStateAt(this.#context, seq);
    if (row === undefined) return;
    // A damaged time of expiry must not delete a task: the read throws if the task's checksum does not match.
    const expired = snapshotAt(this.#context, seq);
    const [, state, , , , queue, , , , laneSeq, orderingKey] = row;
    if (orderingKey !== null && laneSeq !== null) {
      sql.deletePointer.run(queue, orderingKey, laneSeq, seq);
    }
    stats.rowsWritten += 2;
    if (expired !== undefined) keys.remove(queue, expired.submission.scope.key, seq);
    sql.deleteTask.run(seq);
    sql.deleteBody.run(seq);
    sql.deleteResult.run(seq);
    sql.deleteArchived.run(seq);
    names.recordStateChange(names.queueOf(queue), state, undefined);
    readyIndex.remove(seq);
    if (orderingKey !== null) dispatchLowest(this.#context, queue, orderingKey);
  }
}
