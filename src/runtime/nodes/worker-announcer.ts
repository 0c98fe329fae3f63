import { newestOfEach, ownStreams } from '../../service/admin/known-workers.ts';
import {
  announcementIn,
  announcementOf,
  isCurrent,
  workersKind,
} from '../../service/admin/worker-announcement.ts';
import type { ServiceContext } from '../../service/context.ts';
import type { WorkerView } from '../../service/service.ts';

/** How often the announcer checks whether the workers of this process have changed. */
export const checkWorkersMs = 5_000;
/** An unchanged announcement is written again after this time. */
const renewMs = 60_000;
const mostTries = 4;

interface OwnEntry {
  readonly key: string;
  readonly rev: number | 'absent';
}

/**
 * Announces the workers of this process to the other processes in an entry of the registry. Nothing is written before the
 * process has its first worker, nor after it has announced that it has none. Registry entries are never deleted, so a
 * process takes over an outdated entry: there are never more entries than processes that had workers at once.
 */
export class WorkerAnnouncer {
  readonly #context: ServiceContext;
  #own: OwnEntry | undefined;
  /** The keys of the workers in the last announcement. */
  #announced: ReadonlySet<string> = new Set();
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  #left = false;
  #currentAnnouncement: Promise<void> = Promise.resolve();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** Writes an announcement if the workers have changed or the last announcement is too old. */
  async announce(): Promise<void> {
    this.#currentAnnouncement = this.#announce(newestOfEach(ownStreams(this.#context)));
    await this.#currentAnnouncement;
  }

  /** Announces at once that this process has no workers. A second call has no effect. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.#currentAnnouncement.catch(() => {});
    if (this.#own !== undefined && this.#announced.size > 0) await this.#put(this.#own, []);
  }

  async #announce(workers: ReadonlyMap<string, WorkerView>): Promise<void> {
    if (!this.#isDue(workers)) return;
    for (let i = 0; i < mostTries && !this.#left; i++) {
      const own = this.#own ?? (await this.#findEntry());
      const written = await this.#put(own, [...workers.values()]);
      this.#own = written ? { key: own.key, rev: own.rev === 'absent' ? 1 : own.rev + 1 } : undefined;
      // If another process has taken the entry over, no entry names the workers of this process any more.
      if (!written && workers.size > 0) continue;
      this.#announced = new Set(workers.keys());
      this.#announcedAtMs = this.#context.clock.monotonic();
      return;
    }
  }

  /** Returns true if an announcement is due. A worker that opens its stream again on the same node is no change. */
  #isDue(workers: ReadonlyMap<string, WorkerView>): boolean {
    const same =
      workers.size === this.#announced.size && [...workers.keys()].every((key) => this.#announced.has(key));
    if (!same) return true;
    return workers.size > 0 && this.#context.clock.monotonic() - this.#announcedAtMs >= renewMs;
  }

  /**
   * Finds the entry to write: the earlier entry of this process, else an outdated entry, else a new one. An outdated entry
   * is chosen at random, because many processes may start at once.
   */
  async #findEntry(): Promise<OwnEntry> {
    const { registry, clock, processId } = this.#context;
    const entries = await registry.list(workersKind, '');
    const nowMs = clock.now();
    const free = entries.filter((entry) => !isCurrent(announcementIn(entry), nowMs));
    const mine = entries.find((entry) => announcementIn(entry)?.id === processId);
    const usable = mine ?? free[Math.floor(clock.random() * free.length)];
    return usable ?? { key: clock.uuid(), rev: 'absent' };
  }

  /** Writes the announcement to a registry entry. Returns false if another process wrote to this entry first. */
  #put({ key, rev }: OwnEntry, workers: readonly WorkerView[]): Promise<boolean> {
    const { registry, clock, processId, node } = this.#context;
    const announcement = announcementOf({ id: processId, node, writtenAtMs: clock.now() }, workers);
    return registry.put(workersKind, key, announcement, rev);
  }
}
