import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { Progress } from '../../core/task/head.ts';
import type { TaskId } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { notFound } from '../rejections.ts';
import type { TaskWatches, WatchedUpdate, WatchUpdate } from '../service.ts';
import type { WatchedEvent, WatchedTask, Watcher } from './watched-task.ts';

/** The most events that one watcher reads from the history of its task at once. */
const mostMissed = 256;

/** One stream's watch of one task: which of the task's events the stream has had. */
class TaskWatch implements Watcher {
  readonly task: WatchedTask;
  readonly #tenant: string;
  readonly #watches: StreamWatches;
  /** The number of reads of the task after which this watch begins. */
  readonly #beginsAtRead: number;
  #version: number;
  #progress: Progress | undefined;
  /** The next events after `#version` that the task does not keep any more, as read from its history. */
  #missed: readonly WatchedEvent[] = [];
  #isReadingMissed = false;
  #failure: HoldfastError | undefined;
  isQueued = false;

  constructor(watches: StreamWatches, task: WatchedTask, tenant: string, fromVersion: number) {
    this.#watches = watches;
    this.task = task;
    this.#tenant = tenant;
    this.#version = fromVersion;
    this.#beginsAtRead = task.add(this);
  }

  changed(): void {
    this.#watches.enqueue(this);
  }

  get failure(): HoldfastError | undefined {
    const { failure, tenant } = this.task;
    if (failure !== undefined || this.#failure !== undefined) return failure ?? this.#failure;
    return this.#hasBegun && tenant !== this.#tenant ? notFound(this.task.id) : undefined;
  }

  /** True if the task has ended and the stream has had all of its events. */
  get isOver(): boolean {
    return this.#hasBegun && this.task.isEnded && this.#version >= this.task.version;
  }

  /** Returns the next update for the stream; undefined if there is none now. */
  next(): WatchUpdate | undefined {
    if (!this.#hasBegun) return undefined;
    if (this.#version < this.task.version) return this.#nextEvent();
    const { progress } = this.task;
    const isNew = progress !== undefined && progress !== this.#progress;
    this.#progress = progress;
    return isNew ? { kind: 'progress', progress } : undefined;
  }

  get #hasBegun(): boolean {
    return this.task.version > 0 && this.task.completedReads >= this.#beginsAtRead;
  }

  #nextEvent(): WatchUpdate | undefined {
    const [missed, ...more] = this.#missed;
    const next = missed ?? this.task.eventOf(this.#version + 1);
    if (next === undefined) {
      void this.#readMissed();
      return undefined;
    }
    this.#missed = more;
    this.#version = next.version;
    return { kind: 'event', ...next };
  }

  /** Reads events from the history, unless a read is running: the result of a second one would repeat those of the first. */
  async #readMissed(): Promise<void> {
    if (this.#isReadingMissed) return;
    this.#isReadingMissed = true;
    try {
      this.#missed = await this.task.readEvents(this.#version, mostMissed);
      if (this.#missed.length === 0) this.#failure = notFound(this.task.id);
    } catch (thrown) {
      this.#failure = asHoldfastError(thrown);
    }
    this.#isReadingMissed = false;
    this.changed();
  }
}

/** The watches of one stream. Those with something to send wait in a queue, so that they take turns. */
export class StreamWatches implements TaskWatches {
  readonly #context: ServiceContext;
  readonly #changed: () => void;
  readonly #open = new Set<TaskWatch>();
  #queue: TaskWatch[] = [];
  #isClosed = false;

  /** `changed` is called when `take` may have an update again. */
  constructor(context: ServiceContext, changed: () => void) {
    this.#context = context;
    this.#changed = changed;
  }

  get count(): number {
    return this.#open.size;
  }

  add(tenant: string, id: TaskId, fromVersion: number): void {
    if (this.#isClosed) return;
    this.#open.add(new TaskWatch(this, this.#context.watchedTasks.of(id), tenant, fromVersion));
  }

  enqueue(watch: TaskWatch): void {
    if (this.#isClosed || watch.isQueued) return;
    watch.isQueued = true;
    this.#queue.push(watch);
    this.#changed();
  }

  take(): WatchedUpdate | undefined {
    for (let watch = this.#queue.shift(); watch !== undefined; watch = this.#queue.shift()) {
      watch.isQueued = false;
      if (!this.#open.has(watch)) continue;
      const { id } = watch.task;
      const { failure } = watch;
      const update = failure === undefined ? watch.next() : undefined;
      if (failure !== undefined || (update === undefined && watch.isOver)) this.#remove(watch);
      if (failure !== undefined) return { id, error: failure };
      if (update === undefined) continue;
      this.enqueue(watch);
      return { id, update };
    }
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    for (const watch of this.#open) this.#remove(watch);
  }

  #remove(watch: TaskWatch): void {
    this.#open.delete(watch);
    watch.task.remove(watch);
    this.#context.watchedTasks.release(watch.task);
  }
}
