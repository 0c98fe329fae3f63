import { HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Outgoing, StreamEvents } from '../../transport.ts';

const silentKeepAlives = 3;

interface KeepAlive {
  readonly kind: 'keepAlive';
}

export interface ChannelEvents<In> {
  message(message: In): void;
  /** Once, and last. Undefined: in good order. */
  ended(error: HoldfastError | undefined): void;
}

/** The client's end of a long stream: keeps it alive, and cuts it when nothing was heard for three keep-alives. */
export class Channel<Out, In> {
  readonly #clock: Clock;
  readonly #events: ChannelEvents<In>;
  readonly #out: Outgoing<Out | KeepAlive>;
  #receivedAtMs: number;
  #cancelTick: () => void;
  #open = true;

  constructor(
    clock: Clock,
    open: (events: StreamEvents<In>) => Outgoing<Out | KeepAlive>,
    events: ChannelEvents<In>,
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

  /** False: more than a little is unsent, or nothing can be sent any more. */
  send(message: Out): boolean {
    return this.#open && this.#out.send(message);
  }

  /** No more from this side; what the other side still says is heard. */
  end(): void {
    if (this.#open) this.#out.end();
  }

  abort(error?: HoldfastError): void {
    if (this.#open) this.#out.abort(error);
  }

  #tick(): void {
    const silentMs = this.#clock.monotonic() - this.#receivedAtMs;
    if (silentMs > silentKeepAlives * timing.keepAliveMs) {
      const error = silence(silentMs);
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

function silence(ms: number): HoldfastError {
  const told = `Nothing was heard from the server for ${Math.round(ms / 1_000)} s, so the stream was cut.`;
  return new HoldfastError('UNAVAILABLE', 'TIMED_OUT', told, {
    help: 'The worker opens another one by itself.',
  });
}
