/**
 * The server's end of a gRPC stream. It counts the bytes that are not yet sent, and can cut the stream of a client that
 * stops reading.
 */
import { constants } from 'node:http2';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { ServerStream } from '../../api/api.ts';
import { type GrpcStatus, statusOf } from '../status.ts';
import type { GrpcCallInternals } from './admitted-calls.ts';

/**
 * Delay in ms after which a stream that was cut is reset, if its status still cannot be sent because the client does
 * not read.
 */
export const cutMs = 3_000;

/**
 * The longest time in ms for which a stream that the server ends with DRAINING waits until its buffered messages are
 * sent.
 */
const flushMs = 200;

export type WritableCall = ServerDuplexStream<unknown, Buffer> | ServerWritableStream<unknown, Buffer>;

export class GrpcStream<Message> implements ServerStream<Message> {
  readonly #call: WritableCall;
  readonly #encode: (message: Message) => Buffer;
  readonly #clock: Clock;
  #bufferedBytes = 0;
  #ended = false;
  /** Called when no message of an ended stream is buffered any more. */
  #flushed: (() => void) | undefined;
  roomFreed: (() => void) | undefined;

  constructor(call: WritableCall, encode: (message: Message) => Buffer, clock: Clock) {
    this.#call = call;
    this.#encode = encode;
    this.#clock = clock;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(message: Message): void {
    this.write(message, () => this.roomFreed?.());
  }

  /**
   * Sends a message, and calls `sent` once the network has accepted the bytes of the message. If the stream has already
   * ended, sends nothing and does not call `sent`.
   */
  write(message: Message, sent: () => void): void {
    if (this.#ended) return;
    const bytes = this.#encode(message);
    this.#bufferedBytes += bytes.length;
    this.#call.write(bytes, () => {
      this.#bufferedBytes -= bytes.length;
      if (this.#bufferedBytes === 0) this.#flushed?.();
      sent();
    });
  }

  end(error?: HoldfastError): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error === undefined) this.#call.end();
    else if (this.#bufferedBytes === 0) this.#call.emit('error', statusOf(error));
    else if (error.reason === 'DRAINING') this.#endAfterFlush(statusOf(error));
    else this.#cut(statusOf(error));
  }

  /**
   * Sends the status after the buffered messages, which may be answers to outcomes, or after 200 ms instead of the
   * messages.
   */
  #endAfterFlush(status: GrpcStatus): void {
    const cancel = this.#clock.after(flushMs, () => {
      this.#flushed = undefined;
      this.#cut(status);
    });
    this.#flushed = () => {
      this.#flushed = undefined;
      cancel();
      this.#call.emit('error', status);
    };
  }

  /**
   * Drops the stream's buffered messages and sends its gRPC status at once: a status that is queued behind messages
   * which the client does not read would never arrive.
   */
  #cut(status: GrpcStatus): void {
    const internals = (this.#call as unknown as GrpcCallInternals).call;
    this.#call.destroy();
    internals?.sendStatus?.(status);
    this.#clock.after(cutMs, () => {
      const stream = internals?.stream;
      if (stream !== undefined && !stream.closed) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
  }
}
