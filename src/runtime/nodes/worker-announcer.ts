import { newestOfEach, ownWorkers } from '../../service/admin/known-workers.ts';
import {
  announcementIn,
  announcementOf,
  isCurrent,
  isOfOtherVersion,
  workersKind,
} from '../../service/admin/worker-announcement.ts';
import type { ServiceContext } from '../../service/context.ts';
import type { WorkerView } from '../../service/service.ts';

/**
 * The time in ms between two checks whether the connected workers of this process have changed since it last announced
 * them.
 */
export const checkWorkersMs = 5_000;
/** A process writes the announcement of its workers again after this time in ms, even if the workers have not changed. */
const renewMs = 60_000;
const mostTries = 4;

/** The workers of this process by their keys. */
interface OwnWorkers {
  readonly workers: ReadonlyMap<string, WorkerView>;
  /** False if this process has forgotten a worker that polls it. */
  readonly isComplete: boolean;
}

interface OwnEntry {
  readonly key: string;
  readonly rev: number | 'absent';
}

/**
 * Announces the workers of this process to the other processes in an entry of the registry. A process without workers
 * writes nothing, except once after its last worker has left. Registry entries are never deleted, but a process takes
 * over an outdated entry, so the number of entries stays at the largest number of processes that had workers at the
 * same time.
 */
export class WorkerAnnouncer {
  readonly #context: ServiceContext;
  #own: OwnEntry | undefined;
  /** The keys of the workers that this process last announced. */
  #announced: ReadonlySet<string> = new Set();
  #announcedAllKnown = true;
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  #left = false;
  #currentAnnouncement: Promise<void> = Promise.resolve();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** Announces the workers of this process if they have changed or the last announcement is too old. */
  async announce(): Promise<void> {
    const { workers, isComplete } = ownWorkers(this.#context);
    this.#currentAnnouncement = this.#announce({ workers: newestOfEach(workers), isComplete });
    await this.#currentAnnouncement;
  }

  /** Announces at once that this process has no workers. A second call has no effect. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.#currentAnnouncement.catch(() => {});
    if (this.#own !== undefined && this.#announced.size > 0) await this.#put(this.#own, [], true);
  }

  async #announce(own: OwnWorkers): Promise<void> {
    if (!this.#isDue(own)) return;
    const { workers, isComplete } = own;
    for (let i = 0; i < mostTries && !this.#left; i++) {
      const entry = this.#own ?? (await this.#findEntry());
      const written = await this.#put(entry, [...workers.values()], isComplete);
      this.#own = written ? { key: entry.key, rev: entry.rev === 'absent' ? 1 : entry.rev + 1 } : undefined;
      // If another process has taken over this process's registry entry, no entry names the workers of this process any
      // more, so the announcement is written again to another entry.
      if (!written && workers.size > 0) continue;
      this.#announced = new Set(workers.keys());
      this.#announcedAllKnown = isComplete;
      this.#announcedAtMs = this.#context.clock.monotonic();
      return;
    }
  }

  /**
   * Returns true if this process must announce its workers again. A worker that opens its stream again on the same node
   * is no change.
   */
  #isDue({ workers, isComplete }: OwnWorkers): boolean {
    const same =
      isComplete === this.#announcedAllKnown &&
      workers.size === this.#announced.size &&
      [...workers.keys()].every((key) => this.#announced.has(key));
    if (!same) return true;
    return workers.size > 0 && this.#context.clock.monotonic() - this.#announcedAtMs >= renewMs;
  }

  /**
   * Finds the registry entry in which this process announces its workers: its own earlier entry, else an outdated entry,
   * else a new one. An outdated entry is chosen at random, because many processes may start at once.
   */
  async #findEntry(): Promise<OwnEntry> {
    const { registry, clock, processId } = this.#context;
    const entries = await registry.list(workersKind, '');
    const nowMs = clock.now();
    const free = entries.filter(
      (entry) => !isCurrent(announcementIn(entry), nowMs) && !isOfOtherVersion(entry, nowMs),
    );
    const mine = entries.find((entry) => announcementIn(entry)?.id === processId);
    const usable = mine ?? free[Math.floor(clock.random() * free.length)];
    return usable ?? { key: clock.uuid(), rev: 'absent' };
  }

  /**
   * Announces the workers of this process in a registry entry. Returns false if another process wrote to this entry
   * first.
   */
  #put({ key, rev }: OwnEntry, workers: readonly WorkerView[], areAllKnown: boolean): Promise<boolean> {
    const { registry, clock, processId, node } = this.#context;
    const announcement = announcementOf(
      { id: processId, node, writtenAtMs: clock.now() },
      workers,
      areAllKnown,
    );
    return registry.put(workersKind, key, announcement, rev);
  }
}
