import type { Registered } from '../../ports/registry.ts';
import { newestOfEach, ownStreams } from '../../service/admin/known-workers.ts';
import { isCurrent, lineOf, type WorkersLine, workersKind } from '../../service/admin/worker-announcement.ts';
import type { ServiceContext } from '../../service/context.ts';
import type { WorkerView } from '../../service/service.ts';

/** How often it is looked whether something changed. */
export const lookMs = 5_000;
/** A line that says what it said before is written anew so often. */
const renewMs = 60_000;
const mostTries = 4;

interface Own {
  readonly key: string;
  readonly rev: number | 'absent';
}

/**
 * Tells the other processes of this one's workers, on a line of the registry. Nothing is written before its first
 * worker, and no more once it has told that it has none. Nothing is ever deleted there, so lines are taken over once
 * they count for nothing: there are never more of them than processes ever had workers at once.
 */
export class WorkersTold {
  readonly #context: ServiceContext;
  #own: Own | undefined;
  /** Which workers its line names. */
  #told: ReadonlySet<string> = new Set();
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #left = false;
  #telling: Promise<void> = Promise.resolve();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** Writes where something is to be told. */
  async tell(): Promise<void> {
    this.#telling = this.#tell(newestOfEach(ownStreams(this.#context)));
    await this.#telling;
  }

  /** Takes its workers off the list at once. Idempotent. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.#telling.catch(() => {});
    if (this.#own !== undefined && this.#told.size > 0) await this.#put(this.#own, []);
  }

  async #tell(workers: ReadonlyMap<string, WorkerView>): Promise<void> {
    if (!this.#isDue(workers)) return;
    for (let i = 0; i < mostTries && !this.#left; i++) {
      const own = this.#own ?? (await this.#line());
      const written = await this.#put(own, [...workers.values()]);
      this.#own = written ? { key: own.key, rev: own.rev === 'absent' ? 1 : own.rev + 1 } : undefined;
      // Where its line is another's by now, none tells of it any more.
      if (!written && workers.size > 0) continue;
      this.#told = new Set(workers.keys());
      this.#toldAtMs = this.#context.clock.monotonic();
      return;
    }
  }

  /** A stream that its worker opens anew on the same node is no change. */
  #isDue(workers: ReadonlyMap<string, WorkerView>): boolean {
    const same = workers.size === this.#told.size && [...workers.keys()].every((key) => this.#told.has(key));
    if (!same) return true;
    return workers.size > 0 && this.#context.clock.monotonic() - this.#toldAtMs >= renewMs;
  }

  /** Its own from before, else any that counts for nothing, else a new one. By chance, since many start at once. */
  async #line(): Promise<Own> {
    const { registry, clock, processId } = this.#context;
    const entries = await registry.list(workersKind, '');
    const nowMs = clock.now();
    const saysOf = ({ value }: Registered): WorkersLine => value as WorkersLine;
    const free = entries.filter((entry) => !isCurrent(saysOf(entry), nowMs));
    const mine = entries.find((entry) => saysOf(entry).id === processId);
    const found = mine ?? free[Math.floor(clock.random() * free.length)];
    return found ?? { key: clock.uuid(), rev: 'absent' };
  }

  /** False: another process was quicker on this line. */
  #put({ key, rev }: Own, workers: readonly WorkerView[]): Promise<boolean> {
    const { registry, clock, processId, node } = this.#context;
    const line = lineOf({ id: processId, node, writtenAtMs: clock.now() }, workers);
    return registry.put(workersKind, key, line, rev);
  }
}
