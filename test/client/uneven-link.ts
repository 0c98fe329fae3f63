/**
 * A transport whose two streams are delayed independently of each other, on the virtual clock. Messages of one direction of
 * one stream keep their order, as on a connection; those of the two streams do not.
 */
import type { Outgoing, StreamEvents, Transport } from '../../src/client/transport.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { VirtualClock } from '../../src/testing/virtual-clock.ts';

export type Streaming = 'work' | 'report';
export type Direction = 'up' | 'down';

/** One direction of an open stream: hands messages over in order, each as late as the link was slow when it was sent. */
class Lane {
  readonly #clock: VirtualClock;
  #lastAtMs = 0;
  #isCut = false;
  /** The number of messages on their way. */
  underway = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Hands a message over after `delayMs`, and `sizeMs` after the one before. */
  later(delayMs: number, deliver: () => void, sizeMs = 0): void {
    const nowMs = this.#clock.monotonic();
    this.#lastAtMs = Math.max(this.#lastAtMs, nowMs + delayMs) + sizeMs;
    this.underway++;
    this.#clock.after(this.#lastAtMs - nowMs, () => {
      this.underway--;
      if (!this.#isCut) deliver();
    });
  }

  /** Loses all messages that have not been handed over. */
  cut(): void {
    this.#isCut = true;
  }
}

/** How the client and the server learn that a stream was cut. */
export interface Cut {
  /**
   * True if the server still gets the messages that the client has sent before, after the client knows of the cut. A stream
   * on which the server has sent nothing yet ends at once.
   */
  readonly serverIsLate: boolean;
}

/** A transport over an inner one, whose streams the test slows down, cuts and robs of messages. */
export class UnevenLink implements Transport {
  readonly #inner: Transport;
  readonly #clock: VirtualClock;
  /** How long a message takes, in ms, by stream and direction. */
  readonly delayMs: Record<Streaming, Record<Direction, number>> = {
    work: { up: 0, down: 0 },
    report: { up: 0, down: 0 },
  };
  /** How long 1 KiB of payload takes on the way to the worker, in ms. */
  delayOfKibMs = 0;
  /** True while the server's answers on the report stream are lost; the stream must be cut before this ends. */
  losesAnswers = false;
  readonly #open: Record<Streaming, Set<(cut: Cut) => void>> = { work: new Set(), report: new Set() };
  readonly #lanes = new Set<Lane>();
  /** The number of work streams on which the client has got a message. */
  #accepted = 0;

  constructor(inner: Transport, clock: VirtualClock) {
    this.#inner = inner;
    this.#clock = clock;
  }

  submit: Transport['submit'] = (...args) => this.#inner.submit(...args);
  call: Transport['call'] = (...args) => this.#inner.call(...args);
  watch: Transport['watch'] = (...args) => this.#inner.watch(...args);
  close: Transport['close'] = () => this.#inner.close();
  work: Transport['work'] = (events) => this.#connect('work', (to) => this.#inner.work(to), events);
  report: Transport['report'] = (events) => this.#connect('report', (to) => this.#inner.report(to), events);

  /** Makes the link quick. The returned function makes it as slow as it was. */
  mend(): () => void {
    const { work, report } = this.delayMs;
    const { delayOfKibMs } = this;
    for (const stream of ['work', 'report'] as const) this.delayMs[stream] = { up: 1, down: 1 };
    this.delayOfKibMs = 0;
    return () => {
      Object.assign(this.delayMs, { work, report });
      this.delayOfKibMs = delayOfKibMs;
    };
  }

  /** True if no message is on its way, and the client has one work stream, which the server has accepted. */
  get isQuiet(): boolean {
    for (const lane of this.#lanes) if (lane.underway > 0) return false;
    return this.#accepted === 1 && this.#open.work.size === 1;
  }

  cut(stream: Streaming, cut: Cut): void {
    for (const one of [...this.#open[stream]]) one(cut);
  }

  #connect<In extends { readonly kind: string }, Out extends { readonly kind: string }>(
    stream: Streaming,
    open: (events: StreamEvents<Out>) => Outgoing<In>,
    events: StreamEvents<Out>,
  ): Outgoing<In> {
    const up = new Lane(this.#clock);
    const down = new Lane(this.#clock);
    this.#lanes.add(up).add(down);
    let hasEnded = false;
    let isAccepted = false;
    const end = (error: HoldfastError | undefined): void => {
      if (hasEnded) return;
      hasEnded = true;
      if (isAccepted && stream === 'work') this.#accepted--;
      this.#open[stream].delete(cut);
      events.end(error);
    };
    const delayOf = (direction: Direction): number => this.delayMs[stream][direction];
    const out = open({
      message: (message) => {
        if (this.losesAnswers && stream === 'report') return;
        const deliver = (): void => {
          if (hasEnded) return;
          if (!isAccepted && stream === 'work') this.#accepted++;
          isAccepted = true;
          events.message(message);
        };
        down.later(delayOf('down'), deliver, kibOf(message) * this.delayOfKibMs);
      },
      end: (error) => down.later(delayOf('down'), () => end(error)),
    });
    const cut = ({ serverIsLate }: Cut): void => {
      down.cut();
      if (serverIsLate && isAccepted) up.later(delayOf('up'), () => out.abort(broken()));
      else {
        up.cut();
        out.abort(broken());
      }
      end(broken());
    };
    this.#open[stream].add(cut);
    return {
      send: (message) => {
        if (!hasEnded) up.later(delayOf('up'), () => out.send(message));
        return true;
      },
      drained: async () => {},
      end: () => up.later(delayOf('up'), () => out.end()),
      abort: (error) => {
        up.cut();
        down.cut();
        out.abort(error);
        end(error);
      },
    };
  }
}

function kibOf(message: {
  readonly kind: string;
  readonly tasks?: readonly { readonly spec: Uint8Array }[];
}): number {
  return (message.tasks ?? []).reduce((sum, { spec }) => sum + spec.length, 0) / 1_024;
}

function broken(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'the test broke the connection');
}
