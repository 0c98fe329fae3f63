import type { SqliteContext } from '../context.ts';

/** Pages in the log from which on it is copied back into the file. */
const fromPages = 4_000;
/** How many commits pass between two looks at the log's length. */
const everyCommits = 8;

/**
 * Copies the log back between two turns, after the answers have gone out: SQLite's own checkpoint would do it inside
 * of a COMMIT, and every caller of that turn would wait for it.
 */
export class Checkpoints {
  readonly #context: SqliteContext;
  #commits = 0;

  constructor(context: SqliteContext) {
    this.#context = context;
  }

  /** True: the log is long enough. */
  isDue(): boolean {
    if (++this.#commits % everyCommits !== 0) return false;
    const state = this.#context.sql.checkpointState.get() as unknown as [number, number, number];
    return state[1] >= fromPages;
  }

  run(): void {
    const { clock, sql, stats } = this.#context;
    const fromMs = clock.monotonic();
    sql.checkpoint.get();
    stats.checkpoints++;
    stats.checkpointMaxMs = Math.max(stats.checkpointMaxMs, clock.monotonic() - fromMs);
  }
}
