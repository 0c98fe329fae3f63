import { create } from '@bufbuild/protobuf';
import { asHoldfastError, type Code, codes, HoldfastError, type Reason } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import { Code as CodeNumbers } from '../../rpc/gen/google/rpc/code_pb.ts';
import {
  type ItemError,
  WatchTasksRequestSchema,
  type WatchTasksResponse,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { isLasting, reconnectMs } from '../backoff.ts';
import { closedError } from '../calls.ts';
import type { Transport } from '../transport.ts';
import { isEnd, stateOf } from './status.ts';

/** With more streams than this open, those that watch few tasks are joined into one. */
const streamsMax = 8;

interface Watched {
  readonly id: string;
  version: number;
  waiters: number;
  /** Resolves when the task has ended, or may have. */
  readonly ended: PromiseWithResolvers<void>;
}

interface Stream {
  readonly tasks: Map<string, Watched>;
  readonly stop: AbortController;
}

export interface WatchesOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
}

/** One watch for many waiting results: at most 256 tasks a stream, resumed by version after a cut. */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #streams = new Set<Stream>();
  #arrived: Watched[] = [];
  #closed = false;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** Resolves when the task may have ended: the caller reads it then. Rejects where it cannot be watched. */
  async ended(id: string, version: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw closedError();
    const watched = this.#watch(id, version);
    watched.waiters++;
    try {
      await unlessAborted(watched.ended.promise, signal);
    } finally {
      watched.waiters--;
      if (watched.waiters === 0) this.#forget(watched);
    }
  }

  close(): void {
    this.#closed = true;
    for (const watched of this.#watched.values()) watched.ended.reject(closedError());
    for (const stream of this.#streams) stream.stop.abort();
    this.#watched.clear();
  }

  #watch(id: string, version: number): Watched {
    const known = this.#watched.get(id);
    if (known !== undefined) return known;
    const watched: Watched = { id, version, waiters: 0, ended: Promise.withResolvers() };
    watched.ended.promise.catch(() => {});
    this.#watched.set(id, watched);
    this.#arrived.push(watched);
    if (this.#arrived.length === 1) this.#options.clock.soon(() => this.#open());
    return watched;
  }

  #forget(watched: Watched): void {
    if (this.#watched.get(watched.id) === watched) this.#watched.delete(watched.id);
    for (const stream of this.#streams) {
      if (stream.tasks.get(watched.id) !== watched) continue;
      stream.tasks.delete(watched.id);
      if (stream.tasks.size === 0) stream.stop.abort();
    }
  }

  #open(): void {
    const tasks = this.#arrived.filter((watched) => watched.waiters > 0 && !this.#closed);
    this.#arrived = [];
    if (this.#streams.size >= streamsMax) tasks.push(...this.#joined());
    for (let from = 0; from < tasks.length; from += limits.watchedTasks) {
      const part = tasks.slice(from, from + limits.watchedTasks);
      const stream: Stream = {
        tasks: new Map(part.map((watched) => [watched.id, watched])),
        stop: new AbortController(),
      };
      this.#streams.add(stream);
      void this.#run(stream);
    }
  }

  #joined(): Watched[] {
    const joined: Watched[] = [];
    for (const stream of this.#streams) {
      if (stream.tasks.size > limits.watchedTasks / 2) continue;
      joined.push(...stream.tasks.values());
      stream.tasks.clear();
      stream.stop.abort();
      this.#streams.delete(stream);
    }
    return joined;
  }

  async #run(stream: Stream): Promise<void> {
    const { clock } = this.#options;
    const { signal } = stream.stop;
    for (let tries = 0; stream.tasks.size > 0 && !signal.aborted; ) {
      try {
        await this.#follow(stream);
        tries = 0;
        if (stream.tasks.size > 0) await clock.sleep(reconnectMs(tries, clock.random()), signal);
      } catch (thrown) {
        const error = asHoldfastError(thrown);
        if (signal.aborted) break;
        if (isLasting(error)) {
          for (const watched of stream.tasks.values()) watched.ended.reject(error);
          break;
        }
        tries++;
        await clock.sleep(reconnectMs(tries, clock.random(), error.retryAfterMs), signal);
      }
    }
    this.#streams.delete(stream);
  }

  /** One watch to its end. Tasks that are left were not heard of: the server drained, and they go on elsewhere. */
  async #follow(stream: Stream): Promise<void> {
    const { transport, tenant } = this.#options;
    const tasks = [...stream.tasks.values()].map(({ id, version }) => ({ id, fromVersion: version }));
    const request = create(WatchTasksRequestSchema, { tenant, tasks });
    for await (const response of transport.watch(request, { signal: stream.stop.signal })) {
      if (response.update?.update.case === 'drain') return;
      take(stream, response);
      if (stream.tasks.size === 0) return;
    }
    // In good order and without a drain: the server says that all of them have ended.
    for (const watched of stream.tasks.values()) watched.ended.resolve();
    stream.tasks.clear();
  }
}

function take(stream: Stream, { id, update, error }: WatchTasksResponse): void {
  const watched = stream.tasks.get(id);
  if (watched === undefined) return;
  if (error !== undefined) {
    const failure = errorOfWire(error, id);
    if (failure.retryable) return;
    watched.ended.reject(failure);
    stream.tasks.delete(id);
    return;
  }
  if (update?.update.case !== 'event') return;
  const { version, state } = update.update.value;
  watched.version = version;
  if (!isEnd(stateOf(state))) return;
  watched.ended.resolve();
  stream.tasks.delete(id);
}

export function errorOfWire({ code, reason, message, help }: ItemError, taskId: string): HoldfastError {
  const name: Code = codes.find((known) => CodeNumbers[known] === code) ?? 'INTERNAL';
  return new HoldfastError(name, reason as Reason, message, { help, taskId });
}

/** Rejects with the signal's reason as soon as it is aborted. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
