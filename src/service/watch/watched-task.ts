import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { evolve } from '../../core/task/evolve.ts';
import { type Head, isEnded, type Progress, type ShownState, shownState } from '../../core/task/head.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Snapshot, TaskId, TaskStore } from '../../ports/task-store.ts';
import { notFound } from '../rejections.ts';
import type { Feed } from './change-feed.ts';
import type { HeadReads, Standing } from './head-batcher.ts';

/** Where other nodes write the same store it is looked at this often, slower while nothing happens. */
const pollFirstMs = 250;
const pollLongestMs = 5_000;

export interface WatchedParts {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly feed: Feed;
  readonly reads: HeadReads;
}

export interface WatchedEvent {
  readonly event: TaskEvent;
  readonly state: ShownState;
}

/**
 * One task that somebody on this node watches: all that happened to it, read once however many watch. Looked at when
 * this node changed it, and where others may, at times that grow from .25 to 5 s while nothing happens.
 */
export class WatchedTask {
  readonly events: WatchedEvent[] = [];
  progress: Progress | undefined;
  /** Whose it is; undefined before it was read. */
  tenant: string | undefined;
  /** Why it cannot be watched (any longer). */
  failure: HoldfastError | undefined;
  /** Counts what was found. */
  turn = 0;
  readonly #id: TaskId;
  readonly #parts: WatchedParts;
  readonly #unsubscribe: () => void;
  readonly #waiting = new Set<() => void>();
  #head: Head | undefined;
  #revision = 0;
  #asked = 0;
  #answered = 0;
  #isReading = false;
  #idleMs = pollFirstMs;
  #cancelPoll: () => void = () => {};
  #isClosed = false;

  constructor(id: TaskId, parts: WatchedParts) {
    this.#id = id;
    this.#parts = parts;
    this.#unsubscribe = parts.feed.subscribe(id, () => this.#look());
  }

  get isEnded(): boolean {
    return this.#head !== undefined && isEnded(this.#head);
  }

  get #polls(): boolean {
    return this.#parts.store.can.sharedWriters;
  }

  /** Resolves when it was read by a read that began after this call, or failed. */
  async current(): Promise<void> {
    this.#look();
    const mine = this.#asked;
    while (this.#answered < mine && this.failure === undefined) await this.#told();
  }

  /** Resolves when something was found beyond that turn, or the signal is aborted. */
  async after(turn: number, signal: AbortSignal): Promise<void> {
    if (this.turn !== turn || this.failure !== undefined || signal.aborted) return;
    const gone = this.#told(signal);
    await gone;
    if (!signal.aborted) await this.after(turn, signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelPoll();
  }

  #told(signal?: AbortSignal): Promise<void> {
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

  #tell(): void {
    for (const done of [...this.#waiting]) done();
  }

  #look(): void {
    this.#asked++;
    this.#idleMs = pollFirstMs;
    if (!this.#isReading) void this.#read();
  }

  async #read(isPoll = false): Promise<void> {
    this.#isReading = true;
    this.#cancelPoll();
    do {
      const asked = this.#asked;
      const turn = this.turn;
      try {
        await this.#readOnce(isPoll);
      } catch (thrown) {
        const error = asHoldfastError(thrown);
        // What passes is looked at again, and nobody need know; but who waits for the first look is told.
        if (!error.retryable || this.#head === undefined || !this.#polls) this.failure = error;
      }
      if (this.turn !== turn) this.#idleMs = pollFirstMs;
      this.#answered = asked;
      this.#tell();
    } while (this.#asked > this.#answered && this.failure === undefined);
    this.#isReading = false;
    if (this.#polls) this.#poll();
  }

  /** At times that all watched tasks share, so that they are read together. */
  #poll(): void {
    if (this.#isClosed || this.failure !== undefined || this.isEnded) return;
    const { clock } = this.#parts;
    const nowMs = clock.monotonic();
    const atMs = Math.floor(nowMs / pollFirstMs) * pollFirstMs + this.#idleMs;
    this.#idleMs = Math.min(this.#idleMs * 2, pollLongestMs);
    this.#cancelPoll = clock.after(atMs - nowMs, () => void this.#read(true));
  }

  async #readOnce(isPoll: boolean): Promise<void> {
    if (this.#head === undefined) return this.#readFirst();
    const standing = await this.#parts.reads.ask(this.#id, isPoll);
    if (standing === undefined) {
      // Of one that was never touched there is no head yet.
      if (this.#revision > 1 || this.#parts.store.heads === undefined) this.failure = notFound(this.#id);
      return;
    }
    if (standing.head.revision !== this.#revision) await this.#follow(standing);
  }

  async #readFirst(): Promise<void> {
    const { store, clock } = this.#parts;
    const [snapshot] = await store.read([this.#id], clock.now());
    if (snapshot === undefined) {
      this.failure = notFound(this.#id);
      return;
    }
    this.tenant = snapshot.submission.scope.tenant;
    await this.#follow({ head: snapshot.head, snapshot });
  }

  async #follow({ head, snapshot }: Standing): Promise<void> {
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
      this.turn++;
    }
    if (events.length > 0) this.turn++;
  }
}

/** The events after a version, where the snapshot holds them all. */
function eventsIn({ submission, head, tip }: Snapshot, version: number): readonly TaskEvent[] | undefined {
  const firstInTip = head.version - tip.length + 1;
  if (version >= firstInTip - 1) return tip.slice(version + 1 - firstInTip);
  return version === 0 && firstInTip === 2 ? [submission.submitted, ...tip] : undefined;
}

function isSame(one: Progress | undefined, other: Progress | undefined): boolean {
  return one === other || (one?.fraction === other?.fraction && one?.note === other?.note);
}
