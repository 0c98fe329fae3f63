import { timing } from '../core/limits.ts';
import type { DueEntry } from '../ports/task-store.ts';
import type { ServiceContext } from '../service/context.ts';
import { runDue } from './due-actions.ts';
import { DueBackoff } from './due-backoff.ts';
import { DueReading } from './due-reading.ts';
import { DueTurns, type Turn } from './due-turns.ts';
import { SweepFailureLog } from './sweep-failure-log.ts';

/** The time in ms from one look at the due index to the next one while due tasks wait for their turns. */
const restMs = timing.sweepMs / 2;
/** The time in ms after which a turn no longer keeps other queues from their turns. */
const stalledMs = 1_000;
/** The time in ms after which a turn counts as ended although it has not, so that its tasks are tried again. */
const lostMs = 60_000;

/** The parameters of one round of the sweep. */
interface SweepRound {
  readonly signal: AbortSignal;
  isMine(shard: number): boolean;
  /** Tells the watchdog that the round of the sweep still makes progress. */
  alive(): void;
}

/**
 * Finds the due tasks of the shards and acts on them in turns by queue, some turns at once. A task whose action fails stays
 * in the due index; the sweep continues past it and retries it with exponential backoff, so that one failing task never
 * blocks the other tasks.
 */
export class Sweeper {
  readonly #context: ServiceContext;
  readonly #backoff = new DueBackoff();
  readonly #failureLog = new SweepFailureLog();
  readonly #turns = new DueTurns();
  readonly #readings = new Map<number, DueReading>();
  /** The turns that have not ended, the stalled ones too. */
  readonly #taken = new Set<Promise<void>>();
  /** The round that gives turns. Undefined between two rounds. */
  #round: SweepRound | undefined;
  /** The errors of looks and of whole turns since the last round has ended. */
  #failures: unknown[] = [];
  /** True if the tasks of a turn could not be read: the store fails, and the other turns wait for the next round. */
  #isHalted = false;
  #endWait: () => void = () => {};
  /** The earliest due time of the entries that the last look, and the one in progress, found. */
  #oldestDueAtMs = { last: Number.POSITIVE_INFINITY, current: Number.POSITIVE_INFINITY };

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /**
   * Looks at each shard for which `isMine` returns true, and gives turns until no due task waits or the next look is due.
   * `isMine` is called again before each page and each turn, because the shard may have moved to another node meanwhile.
   * Returns true if there is more to do at once.
   */
  async round(
    signal: AbortSignal,
    isMine: (shard: number) => boolean = () => true,
    alive: () => void = () => {},
  ): Promise<boolean> {
    const { clock } = this.#context;
    const round: SweepRound = { signal, isMine, alive };
    const beganAtMs = clock.monotonic();
    this.#round = round;
    this.#isHalted = false;
    this.#turns.forgetActedOn();
    this.#giveTurns();
    const hasUnread = await this.#look(round);
    await this.#waitForTurns(signal, beganAtMs + restMs);
    if (this.#round === round) this.#round = undefined;
    return this.#concluded(!this.#isHalted && (hasUnread || !this.#turns.isIdle));
  }

  /** When the oldest task was due that a recent look found in the due index; Infinity if it found none. */
  get oldestDueAtMs(): number {
    const { last, current } = this.#oldestDueAtMs;
    return Math.min(last, current);
  }

  /** Resolves when all turns have ended that were given until now. A round may end before them. */
  async turnsEnded(): Promise<void> {
    await Promise.all(this.#taken);
  }

  /** Returns true if the next round should follow at once. Throws if there was a failure and nothing else is to do. */
  #concluded(more: boolean): boolean {
    const { clock, heldLeases, log } = this.#context;
    this.#failureLog.write(log, this.#backoff);
    heldLeases.prune(clock.now());
    if (!more) {
      this.#backoff.prune(clock.monotonic());
      this.#turns.forgetIdle();
    }
    const failures = this.#failures;
    this.#failures = [];
    if (failures.length === 0) return more;
    if (!more) throw failures[0];
    log.error(
      { err: failures[0], failures: failures.length },
      'could not read some shards of the due index or some due tasks; the sweep goes on with the others',
    );
    return true;
  }

  /** Reads the due entries of all shards. Returns true if there are more to read at once. */
  async #look(round: SweepRound): Promise<boolean> {
    const { store } = this.#context;
    const looks: Promise<boolean>[] = [];
    this.#oldestDueAtMs = { last: this.#oldestDueAtMs.current, current: Number.POSITIVE_INFINITY };
    for (let shard = 0; shard < store.dueShards && !round.signal.aborted; shard++) {
      if (round.isMine(shard)) looks.push(this.#lookAt(shard, round));
      else this.#readings.delete(shard);
    }
    return (await Promise.all(looks)).includes(true);
  }

  async #lookAt(shard: number, round: SweepRound): Promise<boolean> {
    const look = {
      isWanted: () => !round.signal.aborted && round.isMine(shard),
      pageRead: () => {
        round.alive();
        this.#giveTurns();
      },
    };
    try {
      return await this.#readingOf(shard).look(look);
    } catch (err) {
      this.#failures.push(err);
      return false;
    }
  }

  #readingOf(shard: number): DueReading {
    const known = this.#readings.get(shard);
    if (known !== undefined) return known;
    const { store, clock } = this.#context;
    const reading = new DueReading({
      ...{ shard, store, clock },
      take: (entry) => {
        const oldest = this.#oldestDueAtMs;
        if (entry.dueAtMs < oldest.current) oldest.current = entry.dueAtMs;
        return this.#backoff.isBackedOff(entry, clock.monotonic()) || this.#turns.add(entry, shard);
      },
      needsMore: (entry) => this.#turns.needsMore(entry),
    });
    this.#readings.set(shard, reading);
    return reading;
  }

  #giveTurns(): void {
    const round = this.#round;
    while (round !== undefined && !round.signal.aborted && !this.#isHalted) {
      const turn = this.#turns.next();
      if (turn === undefined) break;
      const taken = this.#take(turn, round).finally(() => this.#taken.delete(taken));
      this.#taken.add(taken);
      this.#context.background('due tasks', taken);
    }
    this.#endWait();
  }

  /** Acts on the tasks of a turn, all at once. */
  async #take(turn: Turn, { signal, isMine }: SweepRound): Promise<void> {
    const { clock, log } = this.#context;
    const due = { context: this.#context, signal, backoff: this.#backoff, failureLog: this.#failureLog };
    const beganAtMs = clock.monotonic();
    // Entries of a shard that has moved to another node are left to that node.
    const entries = turn.entries.filter(({ shard }) => isMine(shard)).map(({ entry }) => entry);
    let isRead = false;
    const ended = (): void => {
      const isActedOn = (entry: DueEntry): boolean =>
        isRead && entries.includes(entry) && !this.#backoff.remembers(entry);
      this.#turns.end(turn, clock.monotonic() - beganAtMs, isActedOn);
      this.#giveTurns();
    };
    const timers = [
      clock.after(stalledMs, () => {
        this.#turns.stalled(turn);
        this.#giveTurns();
      }),
      clock.after(lostMs, () => {
        log.error({ tasks: turn.entries.length }, 'an action on due tasks did not end; trying them again');
        ended();
      }),
    ];
    try {
      // The queue may have failed since the entries were read.
      await runDue(
        due,
        entries.filter((entry) => !this.#backoff.isBackedOff(entry, beganAtMs)),
      );
      isRead = true;
    } catch (err) {
      this.#failures.push(err);
      this.#isHalted = true;
    } finally {
      for (const cancel of timers) cancel();
      ended();
    }
  }

  /** Waits until no due task waits for a turn, or until the next look is due. */
  async #waitForTurns(signal: AbortSignal, untilMs: number): Promise<void> {
    const { clock } = this.#context;
    const over = new AbortController();
    this.#endWait = () => {
      if (this.#turns.isIdle || this.#isHalted) over.abort();
    };
    this.#endWait();
    const ms = untilMs - clock.monotonic();
    if (ms > 0) await clock.sleep(ms, AbortSignal.any([signal, over.signal]));
    this.#endWait = () => {};
  }
}

/**
 * Runs one round of a new `Sweeper`, which remembers no failures of earlier rounds, and waits until its turns have ended.
 * Returns true if there may be more due tasks.
 */
export async function sweep(
  context: ServiceContext,
  signal: AbortSignal,
  isMine?: (shard: number) => boolean,
): Promise<boolean> {
  const sweeper = new Sweeper(context);
  const more = await sweeper.round(signal, isMine);
  await sweeper.turnsEnded();
  return more;
}
