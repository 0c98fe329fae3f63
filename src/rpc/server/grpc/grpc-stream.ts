/** The server's end of a gRPC stream: counts what the network has not taken, and can cut a reader that takes nothing. */
import { constants } from 'node:http2';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { ServerStream } from '../../api/api.ts';
import { type GrpcStatus, statusOf } from '../status.ts';
import type { Below } from './calls.ts';

/** How long the status of a cut stream may take to leave; then the stream is reset. */
export const cutMs = 3_000;

export type Writing = ServerDuplexStream<unknown, Buffer> | ServerWritableStream<unknown, Buffer>;

export class GrpcStream<Message> implements ServerStream<Message> {
  readonly #call: Writing;
  readonly #encode: (message: Message) => Buffer;
  readonly #clock: Clock;
  #bufferedBytes = 0;
  #ended = false;
  taken: (() => void) | undefined;

  constructor(call: Writing, encode: (message: Message) => Buffer, clock: Clock) {
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
    this.write(message, () => this.taken?.());
  }

  /** Calls back when the network has taken it; never where the stream is over before. */
  write(message: Message, taken: () => void): void {
    if (this.#ended) return;
    const bytes = this.#encode(message);
    this.#bufferedBytes += bytes.length;
    this.#call.write(bytes, () => {
      this.#bufferedBytes -= bytes.length;
      taken();
    });
  }

  end(error?: HoldfastError): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error === undefined) this.#call.end();
    else if (this.#bufferedBytes === 0) this.#call.emit('error', statusOf(error));
    else this.#cut(statusOf(error));
  }

  /** What is buffered is given up; behind a reader that takes nothing no status would ever leave. */
  #cut(status: GrpcStatus): void {
    const below = (this.#call as unknown as Below).call;
    this.#call.destroy();
    below?.sendStatus?.(status);
    this.#clock.after(cutMs, () => {
      const stream = below?.stream;
      if (stream !== undefined && !stream.closed) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
  }
}
