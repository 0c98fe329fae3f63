import { nextDelayMs } from '../../core/backoff.ts';
import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { evolve } from '../../core/task/evolve.ts';
import { type Head, type Progress, type ShownState, shownState } from '../../core/task/head.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HeadSummary, Snapshot, TaskId, TaskStore } from '../../ports/task-store.ts';
import { notFound } from '../rejections.ts';
import type { Polled, PollSchedule } from './poll-schedule.ts';
import type { ReadBatcher } from './read-batcher.ts';

/**
 * The time between polls of a watched task that other nodes may change, in ms. While the task does not change, the time
 * doubles from `firstMs` to `longestMs`.
 */
const pollInterval = { firstMs: 250, longestMs: 5_000 } as const;
/** The most events of a watched task that are kept. A watcher that is further behind reads the task's history itself. */
const keptEvents = 8;
/** The most characters that the messages of the kept events may have in all. */
const keptMessageChars = 2_048;

/**
 * The result of one read of a task's head; undefined if the task does not exist, or if the store reads heads alone and the task
 * has not changed since its submission. It includes the whole snapshot if the store cannot read the head alone.
 */
export type HeadRead = { readonly head: HeadSummary; readonly snapshot: Snapshot | undefined };

export interface WatchedTaskParts {
  readonly store: TaskStore;
  readonly clock: Clock;
  /** The first reads of tasks, as a whole. */
  readonly firstReads: ReadBatcher<Snapshot>;
  readonly reads: ReadBatcher<HeadRead>;
  readonly polls: PollSchedule;
}

export interface WatchedEvent {
  /** The version of the task that the event made. */
  readonly version: number;
  readonly event: TaskEvent;
  readonly state: ShownState;
}

/** A watch of a task by one stream. */
export interface Watcher {
  /** Called when the task has changed, when it was read for this watcher, or when it cannot be watched any more. */
  changed(): void;
}

/** Returns events with the version and the state of the task after each of them. `head` is its head before the first one. */
function withStates(head: Head | undefined, events: readonly TaskEvent[]): WatchedEvent[] {
  let current = head;
  return events.map((event) => {
    current = evolve(current, event);
    return { version: current.version, event, state: shownState(current) };
  });
}

function headAfter(head: Head | undefined, events: readonly WatchedEvent[]): Head | undefined {
  let current = head;
  for (const { event } of events) current = evolve(current, event);
  return current;
}

/**
 * A task that is watched on this node. Its events are read once for all of its watchers: after each change by this node
 * and, if other nodes write to the store, by polls. The time between polls grows from 0.25 s to 5 s while the task does
 * not change.
 *
 * A node may hold tens of thousands of these, so it keeps few events, and a head only if it has dropped events.
 */
export class WatchedTask implements Polled {
  readonly id: TaskId;
  progress: Progress | undefined;
  /** The task's tenant; undefined until the task is read for the first time. */
  tenant: string | undefined;
  /** The error that the task's watchers get. It is set when the task cannot be watched, or can no longer be watched. */
  failure: HoldfastError | undefined;
  /** The number of events of the task that were found; 0 until the task is read for the first time. */
  version = 0;
  /** The number of reads that have ended. */
  completedReads = 0;
  readonly #parts: WatchedTaskParts;
  /** One watcher, or a set of several: most tasks have one, and a set costs 200 bytes. */
  #watchers: Watcher | Set<Watcher> | undefined;
  #newest: readonly WatchedEvent[] = [];
  /** The task's head before its newest events; undefined while these are all of its events. */
  #headBefore: Head | undefined;
  #revision = 0;
  #requestedReads = 0;
  #isReading = false;
  #idleMs: number = pollInterval.firstMs;
  #pollAtMs: number | undefined;

  constructor(id: TaskId, parts: WatchedTaskParts) {
    this.id = id;
    this.#parts = parts;
  }

  get isEnded(): boolean {
    const state = this.#newest.at(-1)?.state;
    return state === 'succeeded' || state === 'dead' || state === 'cancelled';
  }

  get isWatched(): boolean {
    return this.#watchers !== undefined;
  }

  /** Returns the event that made this version, or undefined if it is not kept. */
  eventOf(version: number): WatchedEvent | undefined {
    return this.#newest[version - 1 - (this.version - this.#newest.length)];
  }

  /** Returns up to `limit` events after a version from the task's history, each with the version and the state that it made. */
  async readEvents(version: number, limit: number): Promise<readonly WatchedEvent[]> {
    const history = await this.#parts.store.history(this.id, 0);
    return withStates(undefined, history.slice(0, version + limit)).slice(version);
  }

  /** Adds a watcher, and returns the number of reads after which it knows the task as it was at its begin, or later. */
  add(watcher: Watcher): number {
    if (this.#watchers === undefined) this.#watchers = watcher;
    else if (this.#watchers instanceof Set) this.#watchers.add(watcher);
    else this.#watchers = new Set([this.#watchers, watcher]);
    this.requestRead();
    return this.#requestedReads;
  }

  remove(watcher: Watcher): void {
    if (this.#watchers instanceof Set) {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
    } else if (this.#watchers !== watcher) return;
    this.#watchers = undefined;
    this.#cancelPoll();
  }

  /** Reads the task again, after the read that is running. */
  requestRead(): void {
    this.#requestedReads++;
    this.#idleMs = pollInterval.firstMs;
    if (!this.#isReading) void this.#read(false);
  }

  poll(): void {
    this.#pollAtMs = undefined;
    void this.#read(true);
  }

  get #polls(): boolean {
    return this.#parts.store.can.sharedWriters;
  }

  async #read(isPoll: boolean): Promise<void> {
    this.#isReading = true;
    this.#cancelPoll();
    do {
      const requested = this.#requestedReads;
      let isChanged = false;
      try {
        isChanged = await this.#readOnce(isPoll);
      } catch (thrown) {
        const error = asHoldfastError(thrown);
        // A temporary error of the store is hidden from the task's watchers, because the task is polled again. Only the
        // first read of the task must report such an error.
        if (!error.retryable || this.version === 0 || !this.#polls) this.failure = error;
      }
      if (isChanged) this.#idleMs = pollInterval.firstMs;
      const isAwaited = requested > this.completedReads;
      this.completedReads = requested;
      if (isChanged || isAwaited || this.failure !== undefined) this.#notifyWatchers();
    } while (this.#requestedReads > this.completedReads && this.failure === undefined);
    this.#isReading = false;
    if (this.#polls) this.#schedulePoll();
  }

  #notifyWatchers(): void {
    if (this.#watchers instanceof Set) for (const watcher of this.#watchers) watcher.changed();
    else this.#watchers?.changed();
  }

  /**
   * Schedules the next poll of this task at a multiple of 250 ms, as for every watched task, so that many tasks are read
   * together.
   */
  #schedulePoll(): void {
    if (!this.isWatched || this.failure !== undefined || this.isEnded) return;
    const slot = Math.floor(this.#parts.clock.monotonic() / pollInterval.firstMs);
    this.#pollAtMs = slot * pollInterval.firstMs + this.#idleMs;
    this.#idleMs = nextDelayMs(pollInterval, this.#idleMs);
    this.#parts.polls.add(this.#pollAtMs, this);
  }

  #cancelPoll(): void {
    if (this.#pollAtMs !== undefined) this.#parts.polls.remove(this.#pollAtMs, this);
    this.#pollAtMs = undefined;
  }

  /** Reads the task, and returns whether it has changed. */
  async #readOnce(isPoll: boolean): Promise<boolean> {
    if (this.version === 0) return this.#readFirst();
    const read = await this.#parts.reads.read(this.id, isPoll);
    if (read === undefined) {
      // A task that has not changed since its submission has no stored head yet.
      if (this.#revision > 1 || this.#parts.store.heads === undefined) this.failure = notFound(this.id);
      return false;
    }
    return read.head.revision !== this.#revision && this.#apply(read);
  }

  async #readFirst(): Promise<boolean> {
    const snapshot = await this.#parts.firstReads.read(this.id, false);
    if (snapshot === undefined) {
      this.failure = notFound(this.id);
      return false;
    }
    this.tenant = snapshot.submission.scope.tenant;
    return this.#apply({ head: snapshot.head, snapshot });
  }

  async #apply({ head, snapshot }: HeadRead): Promise<boolean> {
    const { version } = this;
    const more = snapshot === undefined ? undefined : eventsIn(snapshot, version);
    const events =
      head.version === version ? [] : (more ?? (await this.#parts.store.history(this.id, version)));
    if (events.length > 0) this.#append(events);
    this.#revision = head.revision;
    const isProgress = this.version === head.version && !isSame(head.progress, this.progress);
    if (isProgress) this.progress = head.progress;
    return isProgress || events.length > 0;
  }

  #append(events: readonly TaskEvent[]): void {
    const head = headAfter(this.#headBefore, this.#newest);
    const all = [...this.#newest, ...withStates(head, events)];
    const dropped = all.splice(0, all.length - countToKeep(all));
    this.#headBefore = headAfter(this.#headBefore, dropped);
    this.#newest = all;
    this.version = all.at(-1)?.version ?? this.version;
  }
}

/** Returns how many of the newest events are kept: always the last one, whose state is that of the task. */
function countToKeep(events: readonly WatchedEvent[]): number {
  let chars = 0;
  let count = 0;
  for (const { event } of events.toReversed()) {
    chars += 'message' in event ? event.message.length : 0;
    if (count > 0 && (count === keptEvents || chars > keptMessageChars)) break;
    count++;
  }
  return count;
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
