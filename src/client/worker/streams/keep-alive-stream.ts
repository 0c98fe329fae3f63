import { HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Outgoing, StreamEvents } from '../../transport.ts';

/** A long-lived stream is cut after this many keep-alive intervals without a message from the server. */
const missedKeepAlives = 3;

interface KeepAlive {
  readonly kind: 'keepAlive';
}

export interface KeepAliveStreamEvents<In> {
  message(message: In): void;
  /** Called exactly once, after the last message. `error` is undefined if the stream ended normally. */
  ended(error: HoldfastError | undefined): void;
}

/**
 * The client's side of a long-lived stream. It sends a keep-alive message per interval, and cuts the stream if the
 * server has sent nothing for three intervals.
 */
export class KeepAliveStream<Out, In> {
  readonly #clock: Clock;
  readonly #events: KeepAliveStreamEvents<In>;
  readonly #out: Outgoing<Out | KeepAlive>;
  #receivedAtMs: number;
  #cancelTick: () => void;
  #open = true;

  constructor(
    clock: Clock,
    open: (events: StreamEvents<In>) => Outgoing<Out | KeepAlive>,
    events: KeepAliveStreamEvents<In>,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#receivedAtMs = clock.monotonic();
    this.#cancelTick = clock.after(timing.keepAliveMs, () => this.#tick());
    this.#out = open({
      message: (message) => {
        this.#receivedAtMs = this.#clock.monotonic();
        if (this.#open) this.#events.message(message);
      },
      end: (error) => this.#close(error),
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Sends a message. Returns false if the send buffer is full or the stream has ended. */
  send(message: Out): boolean {
    return this.#open && this.#out.send(message);
  }

  /** Resolves when all sent messages were handed to the socket, or the stream has ended. */
  drained(): Promise<void> {
    return this.#open ? this.#out.drained() : Promise.resolve();
  }

  /**
   * Ends the sending side of the stream. Messages from the server are still received until the server ends the stream.
   */
  end(): void {
    if (this.#open) this.#out.end();
  }

  abort(error?: HoldfastError): void {
    if (this.#open) this.#out.abort(error);
  }

  #tick(): void {
    const idleMs = this.#clock.monotonic() - this.#receivedAtMs;
    if (idleMs > missedKeepAlives * timing.keepAliveMs) {
      const error = serverIdleError(idleMs);
      this.#out.abort(error);
      this.#close(error);
      return;
    }
    this.#cancelTick = this.#clock.after(timing.keepAliveMs, () => this.#tick());
    this.#out.send({ kind: 'keepAlive' });
  }

  #close(error: HoldfastError | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cancelTick();
    this.#events.ended(error);
  }
}

function serverIdleError(ms: number): HoldfastError {
  const message = `The server sent nothing for ${Math.round(ms / 1_000)} s, so the stream was cut.`;
  return new HoldfastError('UNAVAILABLE', 'TIMED_OUT', message, {
    help: 'Nothing to do: the worker opens another stream by itself.',
  });
}
