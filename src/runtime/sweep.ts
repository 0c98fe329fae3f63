import { timing } from '../core/limits.ts';
import type { DueEntry } from '../ports/task-store.ts';
import type { ServiceContext } from '../service/context.ts';
import { actOnAll } from './due-actions.ts';
import { Pauses } from './due-backoff.ts';
import { Troubles } from './sweep-failure-log.ts';

/** Tasks that are acted on at once. */
const batch = 100;
/** Entries asked for at once, where some of them are to be passed over. */
const mostAsked = 1_000;
/** A shard's turn is over after so many pages, even where nobody in them could be helped. */
const mostPages = 10;
/** A shard that was gone through is left alone for so long, though others have more. */
const restMs = timing.sweepMs / 2;

/** One way through what is due in a shard at its beginning, from the oldest on, in as many turns as it takes. */
interface Walk {
  readonly untilMs: number;
  /** By the monotonic clock. */
  readonly beganAtMs: number;
  /** Undefined: it begins at the front, or is over. */
  place: DueEntry | undefined;
  isOver: boolean;
}

/** What a round has beside what it remembers. */
interface Round {
  readonly signal: AbortSignal;
  readonly troubles: Troubles;
  isMine(shard: number): boolean;
  /** Says that it goes on, however long it takes. */
  alive(): void;
}

/**
 * Serves what is due. Tasks that cannot be helped stay due in front of all others, so it goes on behind them, and tries
 * them again after pauses that grow: who cannot be helped costs the others nothing.
 */
export class Sweeper {
  readonly #context: ServiceContext;
  readonly #pauses = new Pauses();
  readonly #walks = new Map<number, Walk>();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /**
   * A turn for every shard that is this node's, asked anew before each page: it may have been held up since the last.
   * True: there is more, to go on with at once.
   */
  async round(
    signal: AbortSignal,
    isMine: (shard: number) => boolean = () => true,
    alive: () => void = () => {},
  ): Promise<boolean> {
    const { clock, held, log, store } = this.#context;
    const troubles = new Troubles();
    const round: Round = { signal, troubles, isMine, alive };
    const failures: unknown[] = [];
    let more = false;
    for (let shard = 0; shard < store.dueShards && !signal.aborted; shard++) {
      if (!isMine(shard)) {
        this.#walks.delete(shard);
        continue;
      }
      try {
        more = (await this.#turn(shard, round)) || more;
      } catch (err) {
        failures.push(err);
      }
    }
    troubles.tell(log, this.#pauses);
    held.prune(clock.now());
    if (!more) this.#pauses.prune(clock.monotonic());
    if (failures.length === 0) return more;
    if (!more) throw failures[0];
    log.error({ err: failures[0], shards: failures.length }, 'could not sweep some shards; the others go on');
    return true;
  }

  /** Until somebody was helped, so that the other shards have their turns too. True: the walk is not over. */
  async #turn(shard: number, round: Round): Promise<boolean> {
    const { store, clock } = this.#context;
    const { signal, troubles, isMine } = round;
    const acting = { context: this.#context, signal, pauses: this.#pauses, troubles };
    const walk = this.#walkOf(shard);
    for (let pages = 0; pages < mostPages && !walk.isOver && isMine(shard) && !signal.aborted; pages++) {
      round.alive();
      walk.isOver = true;
      const limit = Math.min(mostAsked, batch + this.#pauses.size);
      const page = await store.due(shard, walk.untilMs, limit, walk.place);
      if (signal.aborted) break;
      const nowMs = clock.monotonic();
      const entries = page.entries.filter((entry) => !this.#pauses.has(entry, nowMs));
      const some = entries.slice(0, batch);
      walk.place = some.length < entries.length ? some.at(-1) : page.next;
      walk.isOver = walk.place === undefined;
      if (some.length === 0) continue;
      if ((await actOnAll(acting, some)) > 0) break;
    }
    return !walk.isOver;
  }

  #walkOf(shard: number): Walk {
    const { clock } = this.#context;
    const beganAtMs = clock.monotonic();
    const before = this.#walks.get(shard);
    if (before !== undefined && (!before.isOver || beganAtMs - before.beganAtMs < restMs)) return before;
    const walk = { untilMs: clock.now(), beganAtMs, place: undefined, isOver: false };
    this.#walks.set(shard, walk);
    return walk;
  }
}

/** One round of a process that remembers nothing. */
export function sweep(
  context: ServiceContext,
  signal: AbortSignal,
  isMine?: (shard: number) => boolean,
): Promise<boolean> {
  return new Sweeper(context).round(signal, isMine);
}
