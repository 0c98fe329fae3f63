/**
 * The server's end of a gRPC stream. It counts the bytes that are not yet sent and can cut a client that stops reading.
 */
import { constants } from 'node:http2';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { ServerStream } from '../../api/api.ts';
import { type GrpcStatus, statusOf } from '../status.ts';
import type { GrpcCallInternals } from './calls.ts';

/** Delay in ms after which a cut stream is reset if its status has not been sent. */
export const cutMs = 3_000;

export type WritableCall = ServerDuplexStream<unknown, Buffer> | ServerWritableStream<unknown, Buffer>;

export class GrpcStream<Message> implements ServerStream<Message> {
  readonly #call: WritableCall;
  readonly #encode: (message: Message) => Buffer;
  readonly #clock: Clock;
  #bufferedBytes = 0;
  #ended = false;
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
   * Sends a message and calls `sent` once the network has accepted its bytes. Does not call it if the stream ended.
   */
  write(message: Message, sent: () => void): void {
    if (this.#ended) return;
    const bytes = this.#encode(message);
    this.#bufferedBytes += bytes.length;
    this.#call.write(bytes, () => {
      this.#bufferedBytes -= bytes.length;
      sent();
    });
  }

  end(error?: HoldfastError): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error === undefined) this.#call.end();
    else if (this.#bufferedBytes === 0) this.#call.emit('error', statusOf(error));
    else this.#cut(statusOf(error));
  }

  /** Drops the buffered messages and sends the status at once: a status queued behind unread messages never arrives. */
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
