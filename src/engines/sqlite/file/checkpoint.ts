import type { SqliteContext } from '../context.ts';

/** The number of pages at which SQLite's write-ahead log is copied back into the database file. */
const fromPages = 4_000;
/** The length of the write-ahead log is checked after every 8th commit. */
const everyCommits = 8;

/**
 * Copies SQLite's write-ahead log back into the database file between two commit batches, after the calls of the first
 * batch were answered. SQLite's own checkpoint would run inside a COMMIT, and every call of that batch would wait for
 * the checkpoint.
 */
export class Checkpoints {
  readonly #context: SqliteContext;
  #commits = 0;

  constructor(context: SqliteContext) {
    this.#context = context;
  }

  /**
   * Returns whether SQLite's write-ahead log is long enough for a checkpoint. Must be called once after each commit.
   */
  isDue(): boolean {
    if (++this.#commits % everyCommits !== 0) return false;
    const state = this.#context.sql.checkpointState.get() as unknown as [number, number, number];
    return state[1] >= fromPages;
  }

  run(): void {
    const { clock, sql, stats, file } = this.#context;
    const fromMs = clock.monotonic();
    sql.checkpoint.get();
    file.afterCheckpoint();
    stats.checkpoints++;
    stats.checkpointMaxMs = Math.max(stats.checkpointMaxMs, clock.monotonic() - fromMs);
  }
}
