import type { HoldfastError } from '../../core/errors.ts';
import type { Outgoing, StreamEvents } from '../transport.ts';

/** The streams of a transport that have not ended, so that its close can end them. */
export class OpenStreams {
  readonly #open = new Set<{ abort(): void }>();

  /** Opens a stream by `open`, and forgets it at its end, which comes later. */
  open<I, O>(events: StreamEvents<O>, open: (events: StreamEvents<O>) => Outgoing<I>): Outgoing<I> {
    const outgoing = open({
      message: (message) => events.message(message),
      end: (error: HoldfastError | undefined) => {
        this.#open.delete(outgoing);
        events.end(error);
      },
    });
    this.#open.add(outgoing);
    return outgoing;
  }

  /**
   * Ends all streams at once. A stream whose client side has ended stays open until its server ends it, and a server that
   * stands still would keep the process alive meanwhile.
   */
  abort(): void {
    for (const stream of [...this.#open]) stream.abort();
  }
}
