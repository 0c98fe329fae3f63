/**
 * Sends SubmitTasks calls over one stream of the connection: a call of its own costs client and server about as much as the task
 * itself. A server that refuses the stream gets calls.
 */
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type {
  StreamedResult,
  SubmitBatch,
  SubmitBatchResult,
  SubmitStreamResponse,
} from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { errorOf } from '../backoff.ts';
import { Fifo } from '../fifo.ts';
import type { CallOptions, Outgoing, StreamEvents } from '../transport.ts';
import { abandoned } from './errors.ts';

/** A stream without a batch for this time in ms is ended: an open one would keep a process alive that has nothing more to do. */
const idleMs = 250;
/** The bytes without an answer above which further batches wait here. */
const windowBytes = 8 * limits.wireMessageBytes;
/** The batches without an answer above which further ones wait here: half of what a server takes of one stream. */
const windowBatches = limits.submitStreamBatches / 2;
/** How long in ms calls are made instead, after a server has refused a stream: it may be replaced, or have room again. */
const refusedMs = 30_000;
/** The same for a server that is stopping, which still takes calls. */
const drainingMs = 1_000;
/** The number of streams without any message after which calls are made: a proxy may hold the messages of streams back. */
const mostMute = 2;

/** A message on the stream: encoded batches, which may stand one behind the other. A keep-alive has none. */
export interface EncodedBatches {
  readonly batches: readonly Uint8Array[];
}

interface PendingBatch {
  readonly number: number;
  readonly request: SubmitBatch;
  readonly options: CallOptions;
  readonly bytes: Uint8Array;
  /** Its deadline by the monotonic clock. */
  readonly notAfterMs: number | undefined;
  connection: Connection | undefined;
  cancelTimeout: () => void;
  resolve(result: SubmitBatchResult): void;
  reject(error: HoldfastError): void;
}

/** One stream, with its batches without an answer. */
interface Connection {
  readonly out: Outgoing<EncodedBatches>;
  readonly pending: Map<number, PendingBatch>;
  /** True once the server has sent a message. */
  hasAnswered: boolean;
  /** True once the sending side has ended. */
  isEnding: boolean;
}

export interface SubmitStreamsOptions {
  readonly clock: Clock;
  open(events: StreamEvents<SubmitStreamResponse>): Outgoing<EncodedBatches>;
  /** Encodes one batch as a message of its own. Throws if the server would refuse it for its size. */
  encode(batch: number, timeoutMs: number, request: SubmitBatch): Uint8Array;
  /** Makes a call of its own. */
  call(request: SubmitBatch, options: CallOptions): Promise<SubmitBatchResult>;
  /** Returns the error of a batch without an answer at its deadline. */
  timedOut(): Promise<HoldfastError>;
}

export class SubmitStreams {
  readonly #options: SubmitStreamsOptions;
  #current: Connection | undefined;
  /** The batches of this turn of the event loop, which are sent together. */
  #outbox: PendingBatch[] = [];
  /** The batches for which the window has no room. */
  readonly #waiting = new Fifo<PendingBatch>();
  #unansweredBytes = 0;
  #unanswered = 0;
  #number = 0;
  #usedAtMs = 0;
  #isTicking = false;
  /** The number of streams, one after the other, from which no message came before a batch timed out. */
  #mute = 0;
  #callsUntilMs = 0;
  #isClosed = false;

  constructor(options: SubmitStreamsOptions) {
    this.#options = options;
  }

  /** Submits a batch. A call with a signal or with a trace of its own goes alone. */
  submit(request: SubmitBatch, options: CallOptions): Promise<SubmitBatchResult> {
    const { clock, call, encode } = this.#options;
    const { timeoutMs = 0, signal, traceparent = '' } = options;
    const goesAlone = signal !== undefined || traceparent !== '' || this.#isClosed;
    if (goesAlone || clock.monotonic() < this.#callsUntilMs) return call(request, options);
    const { promise, resolve, reject } = Promise.withResolvers<SubmitBatchResult>();
    this.#number = this.#number === 0x7fff_ffff ? 1 : this.#number + 1;
    const number = this.#number;
    let bytes: Uint8Array;
    try {
      bytes = encode(number, timeoutMs, request);
    } catch (thrown) {
      return Promise.reject(asHoldfastError(thrown));
    }
    const notAfterMs = timeoutMs > 0 ? clock.monotonic() + timeoutMs : undefined;
    const pending: PendingBatch = {
      ...{ number, request, options, bytes, notAfterMs, connection: undefined, resolve, reject },
      cancelTimeout: () => {},
    };
    if (timeoutMs > 0) pending.cancelTimeout = clock.after(timeoutMs, () => void this.#expire(pending));
    this.#waiting.push(pending);
    this.#fill();
    return promise;
  }

  /**
   * Sends the batches of this turn, rejects those for which the window has no room, and opens no further stream. The one that is
   * open ends once its batches are answered.
   */
  close(): void {
    this.#isClosed = true;
    this.#flush();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.connection === gone) continue;
      next.connection = gone;
      next.cancelTimeout();
      next.reject(abandoned());
    }
    const current = this.#current;
    if (current !== undefined) this.#leave(current);
  }

  /** Moves waiting batches into the window, and sends those of this turn together. */
  #fill(): void {
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      const isFull =
        this.#unanswered >= windowBatches || this.#unansweredBytes + next.bytes.length > windowBytes;
      if (isFull && this.#unanswered > 0) return;
      this.#waiting.shift();
      // A batch that timed out while it waited has no part in the window.
      if (next.connection === gone) continue;
      this.#unanswered++;
      this.#unansweredBytes += next.bytes.length;
      if (this.#outbox.push(next) === 1) queueMicrotask(() => this.#flush());
    }
  }

  #flush(): void {
    const batches = this.#outbox.filter(({ connection }) => connection !== gone);
    this.#outbox = [];
    if (batches.length === 0) return;
    this.#usedAtMs = this.#options.clock.monotonic();
    this.#tick();
    let connection: Connection;
    try {
      connection = this.#current ??= this.#open();
      for (const one of batches) {
        one.connection = connection;
        connection.pending.set(one.number, one);
      }
      for (const part of partsOf(batches)) connection.out.send({ batches: part });
    } catch (thrown) {
      const error = asHoldfastError(thrown);
      for (const one of batches) this.#end(one)?.reject(error);
      this.#fill();
    }
  }

  #open(): Connection {
    const pending = new Map<number, PendingBatch>();
    let connection: Connection | undefined;
    let endedBefore: { readonly error: HoldfastError | undefined } | undefined;
    const out = this.#options.open({
      message: (message) => connection !== undefined && this.#received(connection, message),
      end: (error) => {
        endedBefore = { error };
        if (connection !== undefined) this.#ended(connection, error);
      },
    });
    connection = { out, pending, hasAnswered: false, isEnding: false };
    if (endedBefore !== undefined) throw endedBefore.error ?? streamEnded;
    return connection;
  }

  #received(connection: Connection, message: SubmitStreamResponse): void {
    connection.hasAnswered = true;
    this.#mute = 0;
    if (message.kind === 'results') {
      for (const result of message.results) this.#answered(connection, result);
      this.#fill();
      if (connection !== this.#current) this.#endIfAnswered(connection);
    } else if (message.kind === 'drain') this.#leave(connection);
  }

  #answered(connection: Connection, result: StreamedResult): void {
    const pending = connection.pending.get(result.batch);
    if (pending === undefined || this.#end(pending) === undefined) return;
    if (result.error === undefined) pending.resolve({ results: result.results });
    else pending.reject(errorOf(result.error));
  }

  /** Sends no further batch on a stream, which ends once its batches are answered. */
  #leave(connection: Connection): void {
    if (this.#current === connection) this.#current = undefined;
    this.#endIfAnswered(connection);
  }

  /** Leaves a stream on which a batch was not answered in time. After a second one without any message, calls are made instead. */
  #leaveMute(connection: Connection): void {
    if (!connection.hasAnswered && connection === this.#current && ++this.#mute >= mostMute) {
      this.#mute = 0;
      this.#callsUntilMs = this.#options.clock.monotonic() + refusedMs;
    }
    this.#leave(connection);
  }

  #endIfAnswered(connection: Connection): void {
    if (connection.isEnding || connection.pending.size > 0) return;
    connection.isEnding = true;
    connection.out.end();
    // A server that stands still does not end the stream, which would keep this process alive.
    this.#options.clock.after(idleMs, () => connection.out.abort());
  }

  /** Takes a batch out of its stream and of the window. Returns undefined if it has ended already. */
  #end(pending: PendingBatch): PendingBatch | undefined {
    const { connection, number, bytes } = pending;
    if (connection === gone) return undefined;
    connection?.pending.delete(number);
    pending.connection = gone;
    pending.cancelTimeout();
    this.#unanswered--;
    this.#unansweredBytes -= bytes.length;
    return pending;
  }

  /** Ends a batch without an answer at its deadline. Later batches go over another stream, since this one may stand still. */
  async #expire(pending: PendingBatch): Promise<void> {
    const { connection } = pending;
    if (connection === gone) return;
    const isWaiting = connection === undefined && !this.#outbox.includes(pending);
    if (isWaiting) pending.connection = gone;
    else this.#end(pending);
    if (connection !== undefined) this.#leaveMute(connection);
    this.#fill();
    pending.reject(await this.#options.timedOut());
  }

  #ended(connection: Connection, error: HoldfastError = streamEnded): void {
    connection.isEnding = true;
    this.#leave(connection);
    const lost = [...connection.pending.values()];
    if (lost.length === 0) return;
    const restMs = callsAfter(error);
    if (restMs > 0) this.#callsUntilMs = this.#options.clock.monotonic() + restMs;
    for (const one of lost) {
      this.#end(one);
      if (restMs === 0 || this.#isClosed) one.reject(error);
      else this.#options.call(one.request, this.#restOf(one)).then(one.resolve, one.reject);
    }
    this.#fill();
  }

  /** Returns the options of a batch that is sent again, with the time that is left of its timeout. */
  #restOf({ options, notAfterMs }: PendingBatch): CallOptions {
    if (notAfterMs === undefined) return options;
    return { ...options, timeoutMs: Math.max(1, notAfterMs - this.#options.clock.monotonic()) };
  }

  /** Ends the stream once it has had no batch for a while. */
  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#options.clock.after(idleMs, () => {
      this.#isTicking = false;
      const current = this.#current;
      if (current === undefined) return;
      const isIdle = current.pending.size === 0 && this.#options.clock.monotonic() - this.#usedAtMs >= idleMs;
      if (isIdle) this.#leave(current);
      else this.#tick();
    });
  }
}

/** The connection of a batch that has ended. */
const gone: Connection = { out: undefined as never, pending: new Map(), hasAnswered: false, isEnding: true };

/** Returns for how long calls are made instead of a stream that ended with this error, in ms; 0 if the stream is opened again. */
function callsAfter({ code, reason }: HoldfastError): number {
  if (reason === 'DRAINING') return drainingMs;
  return code === 'UNIMPLEMENTED' || reason === 'TOO_MANY_STREAMS' ? refusedMs : 0;
}

/** Divides batches into messages that the server takes. */
function partsOf(batches: readonly PendingBatch[]): readonly (readonly Uint8Array[])[] {
  const parts: Uint8Array[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const one of batches) {
    if (bytes + one.bytes.length > limits.wireMessageBytes) {
      parts.push([]);
      bytes = 0;
    }
    bytes += one.bytes.length;
    parts.at(-1)?.push(one.bytes);
  }
  return parts;
}

const streamEnded = new HoldfastError(
  'UNAVAILABLE',
  'DRAINING',
  'The server ended the stream of submissions before its answer.',
  { help: 'The client sends the tasks again by itself, with the same keys.' },
);
