import { nextDelayMs } from '../../core/backoff.ts';
import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { evolve } from '../../core/task/evolve.ts';
import { type Head, isEnded, type Progress, type ShownState, shownState } from '../../core/task/head.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Snapshot, TaskId, TaskStore } from '../../ports/task-store.ts';
import { notFound } from '../rejections.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { HeadBatcher, HeadRead } from './head-batcher.ts';

/**
 * The time between polls of a watched task that other nodes may change, in ms. While the task does not change, the time
 * doubles from `firstMs` to `longestMs`.
 */
const pollInterval = { firstMs: 250, longestMs: 5_000 } as const;

export interface WatchedTaskParts {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
  readonly reads: HeadBatcher;
}

export interface WatchedEvent {
  readonly event: TaskEvent;
  readonly state: ShownState;
}

/**
 * A task that is watched on this node. The task's events are read once for all of its watchers: after each change by this
 * node and, if other nodes write to the store, by polls. The time between polls grows from 0.25 s to 5 s while the task
 * does not change.
 */
export class WatchedTask {
  readonly events: WatchedEvent[] = [];
  progress: Progress | undefined;
  /** The task's tenant; undefined until the task is read for the first time. */
  tenant: string | undefined;
  /** The error that the task's watchers get. It is set when the task cannot be watched, or can no longer be watched. */
  failure: HoldfastError | undefined;
  /** The number of changes of the task that were found, so that a watcher can wait for the next change. */
  changeCount = 0;
  readonly #id: TaskId;
  readonly #parts: WatchedTaskParts;
  readonly #unsubscribe: () => void;
  readonly #waiting = new Set<() => void>();
  #head: Head | undefined;
  #revision = 0;
  #requestedReads = 0;
  #completedReads = 0;
  #isReading = false;
  #idleMs: number = pollInterval.firstMs;
  #cancelPoll: () => void = () => {};
  #isClosed = false;

  constructor(id: TaskId, parts: WatchedTaskParts) {
    this.#id = id;
    this.#parts = parts;
    this.#unsubscribe = parts.feed.subscribe(id, () => this.#requestRead());
  }

  get isEnded(): boolean {
    return this.#head !== undefined && isEnded(this.#head);
  }

  get #polls(): boolean {
    return this.#parts.store.can.sharedWriters;
  }

  /**
   * Reads the task again. Resolves when a read that began after this call has finished, or when the task cannot be watched.
   */
  async refresh(): Promise<void> {
    this.#requestRead();
    const own = this.#requestedReads;
    while (this.#completedReads < own && this.failure === undefined) await this.#nextRead();
  }

  /**
   * Waits for a change of the task. Resolves when `changeCount` is no longer `seen`, when the task cannot be watched, or
   * when the signal is aborted.
   */
  async nextChange(seen: number, signal: AbortSignal): Promise<void> {
    if (this.changeCount !== seen || this.failure !== undefined || signal.aborted) return;
    await this.#nextRead(signal);
    if (!signal.aborted) await this.nextChange(seen, signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelPoll();
  }

  #nextRead(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener('abort', done);
    });
  }

  #notifyWaiters(): void {
    for (const done of [...this.#waiting]) done();
  }

  #requestRead(): void {
    this.#requestedReads++;
    this.#idleMs = pollInterval.firstMs;
    if (!this.#isReading) void this.#read();
  }

  async #read(isPoll = false): Promise<void> {
    this.#isReading = true;
    this.#cancelPoll();
    do {
      const requested = this.#requestedReads;
      const countBefore = this.changeCount;
      try {
        await this.#readOnce(isPoll);
      } catch (thrown) {
        const error = asHoldfastError(thrown);
        // A temporary error of the store is hidden from the task's watchers, because the task is polled again. Only the
        // first read of the task must report such an error.
        if (!error.retryable || this.#head === undefined || !this.#polls) this.failure = error;
      }
      if (this.changeCount !== countBefore) this.#idleMs = pollInterval.firstMs;
      this.#completedReads = requested;
      this.#notifyWaiters();
    } while (this.#requestedReads > this.#completedReads && this.failure === undefined);
    this.#isReading = false;
    if (this.#polls) this.#schedulePoll();
  }

  /**
   * Schedules the next poll of this task at a multiple of 250 ms, as for every watched task, so that many tasks are read
   * together.
   */
  #schedulePoll(): void {
    if (this.#isClosed || this.failure !== undefined || this.isEnded) return;
    const { clock } = this.#parts;
    const nowMs = clock.monotonic();
    const atMs = Math.floor(nowMs / pollInterval.firstMs) * pollInterval.firstMs + this.#idleMs;
    this.#idleMs = nextDelayMs(pollInterval, this.#idleMs);
    this.#cancelPoll = clock.after(atMs - nowMs, () => void this.#read(true));
  }

  async #readOnce(isPoll: boolean): Promise<void> {
    if (this.#head === undefined) return this.#readFirst();
    const read = await this.#parts.reads.read(this.#id, isPoll);
    if (read === undefined) {
      // A task that has not changed since its submission has no stored head yet.
      if (this.#revision > 1 || this.#parts.store.heads === undefined) this.failure = notFound(this.#id);
      return;
    }
    if (read.head.revision !== this.#revision) await this.#apply(read);
  }

  async #readFirst(): Promise<void> {
    const { store, clock } = this.#parts;
    const [snapshot] = await store.read([this.#id], clock.now());
    if (snapshot === undefined) {
      this.failure = notFound(this.#id);
      return;
    }
    this.tenant = snapshot.submission.scope.tenant;
    await this.#apply({ head: snapshot.head, snapshot });
  }

  async #apply({ head, snapshot }: HeadRead): Promise<void> {
    const version = this.#head?.version ?? 0;
    const more = snapshot === undefined ? undefined : eventsIn(snapshot, version);
    const events =
      head.version === version ? [] : (more ?? (await this.#parts.store.history(this.#id, version)));
    for (const event of events) {
      this.#head = evolve(this.#head, event);
      this.events.push({ event, state: shownState(this.#head) });
    }
    this.#revision = head.revision;
    if (this.#head?.version === head.version && !isSame(head.progress, this.progress)) {
      this.progress = head.progress;
      this.changeCount++;
    }
    if (events.length > 0) this.changeCount++;
  }
}

/** Returns the task's events after a version, or undefined if the snapshot does not hold all of these events. */
function eventsIn({ submission, head, tip }: Snapshot, version: number): readonly TaskEvent[] | undefined {
  const firstInTip = head.version - tip.length + 1;
  if (version >= firstInTip - 1) return tip.slice(version + 1 - firstInTip);
  return version === 0 && firstInTip === 2 ? [submission.submitted, ...tip] : undefined;
}

function isSame(one: Progress | undefined, other: Progress | undefined): boolean {
  return one === other || (one?.fraction === other?.fraction && one?.note === other?.note);
}
