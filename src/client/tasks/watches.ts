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

/**
 * When this many watch streams are open, the next stream takes over the tasks of the streams that are at most half
 * full.
 */
const streamsMax = 8;

/** A task whose end at least one caller waits for. */
interface AwaitedTask {
  readonly id: string;
  /** The version of the last event that was received; a new watch stream continues after this version. */
  version: number;
  /** The number of callers that wait for the task's end. */
  waiters: number;
  /** Resolves when the task has ended, or may have ended. */
  readonly ended: PromiseWithResolvers<void>;
}

interface WatchStream {
  readonly tasks: Map<string, AwaitedTask>;
  readonly stop: AbortController;
}

export interface WatchesOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
}

/**
 * Waits for the ends of many tasks over few watch streams, with at most 256 tasks on each. A stream that is lost is
 * opened again and continues behind the last version that was received.
 */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #awaited = new Map<string, AwaitedTask>();
  readonly #streams = new Set<WatchStream>();
  #unwatched: AwaitedTask[] = [];
  #closed = false;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** Resolves when the task may have ended; the caller must then read it. Rejects if the task cannot be watched. */
  async ended(id: string, version: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw closedError();
    const awaited = this.#watch(id, version);
    awaited.waiters++;
    try {
      await unlessAborted(awaited.ended.promise, signal);
    } finally {
      awaited.waiters--;
      if (awaited.waiters === 0) this.#forget(awaited);
    }
  }

  close(): void {
    this.#closed = true;
    for (const awaited of this.#awaited.values()) awaited.ended.reject(closedError());
    for (const stream of this.#streams) stream.stop.abort();
    this.#awaited.clear();
  }

  #watch(id: string, version: number): AwaitedTask {
    const existing = this.#awaited.get(id);
    if (existing !== undefined) return existing;
    const awaited: AwaitedTask = { id, version, waiters: 0, ended: Promise.withResolvers() };
    awaited.ended.promise.catch(() => {});
    this.#awaited.set(id, awaited);
    this.#unwatched.push(awaited);
    if (this.#unwatched.length === 1) this.#options.clock.soon(() => this.#open());
    return awaited;
  }

  #forget(awaited: AwaitedTask): void {
    if (this.#awaited.get(awaited.id) === awaited) this.#awaited.delete(awaited.id);
    for (const stream of this.#streams) {
      if (stream.tasks.get(awaited.id) !== awaited) continue;
      stream.tasks.delete(awaited.id);
      if (stream.tasks.size === 0) stream.stop.abort();
    }
  }

  #open(): void {
    const tasks = this.#unwatched.filter((awaited) => awaited.waiters > 0 && !this.#closed);
    this.#unwatched = [];
    if (this.#streams.size >= streamsMax) tasks.push(...this.#takeSmallStreams());
    for (let from = 0; from < tasks.length; from += limits.watchedTasks) {
      const part = tasks.slice(from, from + limits.watchedTasks);
      const stream: WatchStream = {
        tasks: new Map(part.map((awaited) => [awaited.id, awaited])),
        stop: new AbortController(),
      };
      this.#streams.add(stream);
      void this.#run(stream);
    }
  }

  #takeSmallStreams(): AwaitedTask[] {
    const joined: AwaitedTask[] = [];
    for (const stream of this.#streams) {
      if (stream.tasks.size > limits.watchedTasks / 2) continue;
      joined.push(...stream.tasks.values());
      stream.tasks.clear();
      stream.stop.abort();
      this.#streams.delete(stream);
    }
    return joined;
  }

  async #run(stream: WatchStream): Promise<void> {
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
        // A caller that waits for a task knows it from an answer of the server, so a connection was possible before.
        if (isLasting(error, true)) {
          for (const awaited of stream.tasks.values()) awaited.ended.reject(error);
          break;
        }
        tries++;
        await clock.sleep(reconnectMs(tries, clock.random(), error.retryAfterMs), signal);
      }
    }
    this.#streams.delete(stream);
  }

  /**
   * Reads one watch stream to its end. Tasks that are still in `stream.tasks` afterwards have not ended: the server is
   * shutting down, and the caller opens another stream for them.
   */
  async #follow(stream: WatchStream): Promise<void> {
    const { transport, tenant } = this.#options;
    const tasks = [...stream.tasks.values()].map(({ id, version }) => ({ id, fromVersion: version }));
    const request = create(WatchTasksRequestSchema, { tenant, tasks });
    for await (const response of transport.watch(request, { signal: stream.stop.signal })) {
      if (response.update?.update.case === 'drain') return;
      handleResponse(stream, response);
      if (stream.tasks.size === 0) return;
    }
    // The server ended the stream normally and without a drain message: all its tasks have ended.
    for (const awaited of stream.tasks.values()) awaited.ended.resolve();
    stream.tasks.clear();
  }
}

function handleResponse(stream: WatchStream, { id, update, error }: WatchTasksResponse): void {
  const awaited = stream.tasks.get(id);
  if (awaited === undefined) return;
  if (error !== undefined) {
    const failure = errorFromWire(error, id);
    if (failure.retryable) return;
    awaited.ended.reject(failure);
    stream.tasks.delete(id);
    return;
  }
  if (update?.update.case !== 'event') return;
  const { version, state } = update.update.value;
  awaited.version = version;
  if (!isEnd(stateOf(state))) return;
  awaited.ended.resolve();
  stream.tasks.delete(id);
}

/** Converts the error of a watched task to a HoldfastError. */
export function errorFromWire({ code, reason, message, help }: ItemError, taskId: string): HoldfastError {
  const name: Code = codes.find((candidate) => CodeNumbers[candidate] === code) ?? 'INTERNAL';
  return new HoldfastError(name, reason as Reason, message, { help, taskId });
}

/** Returns the promise's result, or rejects with the signal's reason as soon as the signal is aborted. */
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
