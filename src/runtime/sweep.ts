import { timing } from '../core/limits.ts';
import type { DueEntry } from '../ports/task-store.ts';
import type { ServiceContext } from '../service/context.ts';
import { runDue } from './due-actions.ts';
import { DueBackoff } from './due-backoff.ts';
import { SweepFailureLog } from './sweep-failure-log.ts';

/** The maximum number of due tasks that the sweep acts on at once. */
const batch = 100;
/**
 * The maximum number of due entries in one page that the sweep reads. Entries that are backed off are read too and then
 * skipped.
 */
const mostEntries = 1_000;
/**
 * The maximum number of pages of due entries that one round of the sweep reads from one shard. A round ends earlier, after
 * the first page of which a task could be dispatched or ended.
 */
const mostPages = 10;
/**
 * The time in ms from the start of a completed scan of a shard until the sweep scans the shard again, even if other
 * shards still have due tasks.
 */
const restMs = timing.sweepMs / 2;

/**
 * One scan of the sweep over the entries of a shard that were due when the scan began, oldest first. A scan may take
 * several rounds.
 */
interface ShardScan {
  readonly untilMs: number;
  /** The time at which the scan of the shard began, in ms on the monotonic clock. */
  readonly beganAtMs: number;
  /** The due entry after which the next page of the scan begins. Undefined at the start and at the end of the scan. */
  after: DueEntry | undefined;
  isDone: boolean;
}

/** The parameters of one round of the sweep. */
interface SweepRound {
  readonly signal: AbortSignal;
  readonly failureLog: SweepFailureLog;
  isMine(shard: number): boolean;
  /** Tells the watchdog that the round of the sweep still makes progress. */
  alive(): void;
}

/**
 * Processes due entries shard by shard. An entry whose action fails stays in the due index; the sweep continues past this
 * entry and retries it with exponential backoff, so that one failing task never blocks the other tasks.
 */
export class Sweeper {
  readonly #context: ServiceContext;
  readonly #backoff = new DueBackoff();
  readonly #scans = new Map<number, ShardScan>();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /**
   * Sweeps each shard for which `isMine` returns true. `isMine` is called again before each page, because the shard may
   * have moved to another node meanwhile. Returns true if there is more to do at once.
   */
  async round(
    signal: AbortSignal,
    isMine: (shard: number) => boolean = () => true,
    alive: () => void = () => {},
  ): Promise<boolean> {
    const { clock, heldLeases, log, store } = this.#context;
    const failureLog = new SweepFailureLog();
    const round: SweepRound = { signal, failureLog, isMine, alive };
    const failures: unknown[] = [];
    let more = false;
    for (let shard = 0; shard < store.dueShards && !signal.aborted; shard++) {
      if (!isMine(shard)) {
        this.#scans.delete(shard);
        continue;
      }
      try {
        more = (await this.#sweepShard(shard, round)) || more;
      } catch (err) {
        failures.push(err);
      }
    }
    failureLog.write(log, this.#backoff);
    heldLeases.prune(clock.now());
    if (!more) this.#backoff.prune(clock.monotonic());
    if (failures.length === 0) return more;
    if (!more) throw failures[0];
    log.error(
      { err: failures[0], shards: failures.length },
      'could not sweep some shards of the due index; the other shards are swept',
    );
    return true;
  }

  /**
   * Continues the scan of a shard page by page, up to the first page of which at least one task was dispatched or
   * ended; then the sweep goes on with the other shards. Returns true if the scan has not reached its end.
   */
  async #sweepShard(shard: number, round: SweepRound): Promise<boolean> {
    const { store, clock } = this.#context;
    const { signal, failureLog, isMine } = round;
    const due = { context: this.#context, signal, backoff: this.#backoff, failureLog };
    const scan = this.#scanOf(shard);
    for (let pages = 0; pages < mostPages && !scan.isDone && isMine(shard) && !signal.aborted; pages++) {
      round.alive();
      scan.isDone = true;
      const limit = Math.min(mostEntries, batch + this.#backoff.size);
      const page = await store.due(shard, scan.untilMs, limit, scan.after);
      if (signal.aborted) break;
      const nowMs = clock.monotonic();
      const entries = page.entries.filter((entry) => !this.#backoff.isBackedOff(entry, nowMs));
      const some = entries.slice(0, batch);
      scan.after = some.length < entries.length ? some.at(-1) : page.next;
      scan.isDone = scan.after === undefined;
      if (some.length === 0) continue;
      if ((await runDue(due, some)) > 0) break;
    }
    return !scan.isDone;
  }

  #scanOf(shard: number): ShardScan {
    const { clock } = this.#context;
    const beganAtMs = clock.monotonic();
    const before = this.#scans.get(shard);
    if (before !== undefined && (!before.isDone || beganAtMs - before.beganAtMs < restMs)) return before;
    const scan = { untilMs: clock.now(), beganAtMs, after: undefined, isDone: false };
    this.#scans.set(shard, scan);
    return scan;
  }
}

/** Runs one round of a new `Sweeper`, which remembers no failures of earlier rounds. */
export function sweep(
  context: ServiceContext,
  signal: AbortSignal,
  isMine?: (shard: number) => boolean,
): Promise<boolean> {
  return new Sweeper(context).round(signal, isMine);
}
