import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { Outgoing, StreamEvents } from '../transport.ts';
import type { GrpcChannel } from './channel.ts';
import { abandoned } from './errors.ts';
import { type ClientDuplexStream, Metadata, type ServiceError } from './library/grpc-js.ts';
import { asIs, encoded, unreadable, type Wire } from './unary.ts';

/** The number of unsent bytes of a stream above which `send` returns false and the sender should wait for `drained`. */
const highWaterBytes = 262_144;

type DuplexCall = ClientDuplexStream<Buffer, Buffer>;

class GrpcOutgoing<I, O> implements Outgoing<I> {
  readonly #call: DuplexCall;
  readonly #wire: Wire<I, O>;
  readonly #events: StreamEvents<O>;
  #unsentBytes = 0;
  #waiting: (() => void)[] = [];
  #over = false;

  constructor(call: DuplexCall, wire: Wire<I, O>, events: StreamEvents<O>) {
    this.#call = call;
    this.#wire = wire;
    this.#events = events;
  }

  /** Sends a message. @throws HoldfastError RESOURCE_EXHAUSTED, reason TOO_LARGE. */
  send(message: I): boolean {
    if (this.#over) return true;
    const bytes = encoded(this.#wire, message);
    this.#unsentBytes += bytes.length;
    this.#call.write(bytes, () => {
      this.#unsentBytes -= bytes.length;
      if (this.#unsentBytes === 0) this.#drained();
    });
    return this.#unsentBytes <= highWaterBytes;
  }

  drained(): Promise<void> {
    if (this.#over || this.#unsentBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    if (!this.#over) this.#call.end();
  }

  abort(error: HoldfastError = abandoned()): void {
    if (this.#over) return;
    this.finish(error);
    this.#call.cancel();
  }

  /** Handles a message from the server. A message that cannot be decoded aborts the stream. */
  received(bytes: Buffer): void {
    if (this.#over) return;
    let message: O;
    try {
      message = this.#wire.decode(bytes);
    } catch (thrown) {
      this.abort(unreadable(thrown));
      return;
    }
    this.#events.message(message);
  }

  /** Marks the stream as ended and reports its end, once. */
  finish(error: HoldfastError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#drained();
    this.#events.end(error);
  }

  #drained(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Opens a bidirectional stream. */
export function bidi<I, O>(channel: GrpcChannel, wire: Wire<I, O>, events: StreamEvents<O>): Outgoing<I> {
  const call: DuplexCall = channel.client.makeBidiStreamRequest(wire.path, asIs, asIs, new Metadata(), {});
  const outgoing = new GrpcOutgoing(call, wire, events);
  let failed = false;
  // Without an error listener, cancelling the call would end the process.
  call.on('error', (failure: ServiceError) => {
    failed = true;
    const explained = typeof failure.code === 'number' ? channel.explain(failure) : asHoldfastError(failure);
    void Promise.resolve(explained).then((error) => outgoing.finish(error));
  });
  call.on('data', (bytes: Buffer) => outgoing.received(bytes));
  // The event `end` comes after the last message, and after the event `error` if the call failed.
  call.on('end', () => {
    if (!failed) outgoing.finish(undefined);
  });
  return outgoing;
}
