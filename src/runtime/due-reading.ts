import type { Clock } from '../ports/clock.ts';
import type { DueEntry, TaskStore } from '../ports/task-store.ts';

/** The maximum number of due entries in one page. */
const pageEntries = 1_000;
/** The maximum number of pages of a pass that one look reads. The next look goes on with the pass. */
const mostPages = 10;
/**
 * How long an entry may appear in the due index after others that became due later, in ms: the index lags, and clocks
 * differ. A look reads the entries of this time again, or of the short one if there are many. A whole pass finds the others.
 */
const lagMs = { usual: 5_000, short: 500 } as const;
const manyEntries = 500;
/** A whole pass over a shard begins no sooner than this time for each entry of the previous one, in ms. */
const restMsPerEntry = 4;

export interface DueReadingOptions {
  readonly shard: number;
  readonly store: TaskStore;
  readonly clock: Clock;
  /** Takes a due entry, or returns false if the queue of the entry has no room. */
  take(entry: DueEntry): boolean;
  /** Returns true if more entries of the queue of this entry should be read. */
  needsMore(entry: DueEntry): boolean;
}

/** The parameters of one look at a shard. */
export interface Look {
  /** Returns false as soon as the shard should not be read any more. */
  isWanted(): boolean;
  /** Called after each page. */
  pageRead(): void;
}

/** How far entries were read, oldest first. */
interface Progress {
  after: DueEntry | undefined;
  read: number;
  /** The last entry that is older than `lagMs.usual`, and the last that is older than `lagMs.short`. */
  lastOld: DueEntry | undefined;
  lastNearlyOld: DueEntry | undefined;
}

/** A reading of a shard from its oldest due entry on. It may take several looks. */
interface Pass extends Progress {
  /** True if the pass goes on to the end, false if it ends as soon as the queues have entries enough. */
  readonly isWhole: boolean;
  readonly beganAtMs: number;
  /** One of the entries that were skipped, for each queue without room. */
  readonly skipped: Map<string, DueEntry>;
}

function progressFrom(after: DueEntry | undefined): Progress {
  return { after, read: 0, lastOld: after, lastNearlyOld: after };
}

/** Returns the entry after which the next look reads the recent entries. */
function recentAfter({ read, lastOld, lastNearlyOld }: Progress): DueEntry | undefined {
  return read > manyEntries ? lastNearlyOld : lastOld;
}

function queueKeyOf({ tenantTag, queueTag }: DueEntry): string {
  return `${tenantTag}/${queueTag}`;
}

/**
 * Reads the due entries of one shard, so that many entries of one queue hide none of another. Entries of a queue without
 * room are skipped and read again later. While a shard has few entries, each look is one pass over all of them. Else a
 * look reads the entries that became due since the last looks, and goes on with a pass if one is due.
 */
export class DueReading {
  readonly #options: DueReadingOptions;
  #pass: Pass | undefined;
  #nextWholePassAtMs = Number.NEGATIVE_INFINITY;
  /** Becomes true with the first whole pass: all entries were read once that are not recent. */
  #isCovered = false;
  /** The entry after which the recent ones begin. Undefined: before the first one. */
  #recentAfter: DueEntry | undefined;
  #skipped = new Map<string, DueEntry>();

  constructor(options: DueReadingOptions) {
    this.#options = options;
  }

  /** Reads the entries that are due now. Returns true if a pass over the shard has not ended. */
  async look(look: Look): Promise<boolean> {
    const nowMs = this.#options.clock.now();
    this.#pass ??= this.#nextPass();
    const ended = await this.#continuePass(look, nowMs, 1);
    if (ended === 'atEnd') return false;
    if (this.#isCovered) await this.#readRecent(look, nowMs);
    await this.#continuePass(look, nowMs, mostPages - 1);
    return this.#pass !== undefined;
  }

  #nextPass(): Pass | undefined {
    const { clock, needsMore } = this.#options;
    const beganAtMs = clock.monotonic();
    const isWhole = beganAtMs >= this.#nextWholePassAtMs;
    if (!isWhole && ![...this.#skipped.values()].some(needsMore)) return undefined;
    return { isWhole, beganAtMs, skipped: new Map(), ...progressFrom(undefined) };
  }

  /** Reads some pages of the pass, if there is one. Returns `atEnd` if the pass has reached the last due entry. */
  async #continuePass(look: Look, nowMs: number, pages: number): Promise<'atEnd' | undefined> {
    const pass = this.#pass;
    for (let i = 0; pass !== undefined && i < pages; i++) {
      if (!(await this.#readPage(look, nowMs, pass, pass.skipped))) return undefined;
      if (pass.after === undefined) {
        this.#passedAll(pass);
        return 'atEnd';
      }
      if (!pass.isWhole && this.#hasEnough(pass)) {
        this.#pass = undefined;
        for (const [key, entry] of pass.skipped) this.#skipped.set(key, entry);
        return undefined;
      }
    }
    return undefined;
  }

  #hasEnough(pass: Pass): boolean {
    const { needsMore } = this.#options;
    return ![...this.#skipped.values(), ...pass.skipped.values()].some(needsMore);
  }

  #passedAll(pass: Pass): void {
    this.#pass = undefined;
    this.#isCovered = true;
    this.#recentAfter = recentAfter(pass);
    this.#skipped = pass.skipped;
    this.#nextWholePassAtMs = pass.beganAtMs + pass.read * restMsPerEntry;
  }

  async #readRecent(look: Look, nowMs: number): Promise<void> {
    const progress = progressFrom(this.#recentAfter);
    do {
      if (!(await this.#readPage(look, nowMs, progress, this.#skipped))) return;
    } while (progress.after !== undefined);
    this.#recentAfter = recentAfter(progress);
  }

  /** Reads a page and takes its entries. Returns false if the shard is not to be read any more. */
  async #readPage(
    { isWanted, pageRead }: Look,
    nowMs: number,
    progress: Progress,
    skipped: Map<string, DueEntry>,
  ): Promise<boolean> {
    const { store, shard, take } = this.#options;
    if (!isWanted()) return false;
    const { entries, next } = await store.due(shard, nowMs, pageEntries, progress.after);
    if (!isWanted()) return false;
    for (const entry of entries) if (!take(entry)) skipped.set(queueKeyOf(entry), entry);
    const lastBefore = (atMs: number) => entries.findLast(({ dueAtMs }) => dueAtMs <= atMs);
    progress.lastOld = lastBefore(nowMs - lagMs.usual) ?? progress.lastOld;
    progress.lastNearlyOld = lastBefore(nowMs - lagMs.short) ?? progress.lastNearlyOld;
    progress.read += entries.length;
    progress.after = next;
    pageRead();
    return true;
  }
}
