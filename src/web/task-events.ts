/** The events of a task as Server-Sent Events. */
import type { TaskEvent } from '../client/tasks/status.ts';
import type { Clock } from '../ports/clock.ts';

export interface EventStreamOptions {
  /** Opens the events. They end when the signal is aborted. */
  readonly open: (signal: AbortSignal) => AsyncIterable<TaskEvent>;
  readonly json: (event: TaskEvent) => object;
  /** The signal of the request, which is aborted when the caller is gone. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly keepAliveMs: number;
  readonly onError: (thrown: unknown) => void;
  /** Called once, when the stream has ended for whatever cause. */
  readonly onEnd: () => void;
}

const encoder = new TextEncoder();
const textOf = (id: number, data: object): string => `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
const comment = encoder.encode(': \n\n');

/**
 * Returns the body of an event stream. An event is read when the caller has room for it, so a slow caller holds one. A comment
 * is sent at once and at each interval, since proxies close a connection without traffic. If the events end by an error the
 * stream ends as well, and the caller connects again with `Last-Event-ID`.
 */
export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { clock, json, keepAliveMs, onEnd, onError, open, signal } = options;
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  const events = open(gone.signal)[Symbol.asyncIterator]();
  let stopKeepAlive = (): void => {};
  let isOver = false;

  function end(): void {
    if (isOver) return;
    isOver = true;
    signal.removeEventListener('abort', leave);
    stopKeepAlive();
    // Events that wait for the next read do not notice the signal.
    void events.return?.().catch(() => {});
    onEnd();
  }

  function keepAlive(controller: ReadableStreamDefaultController<Uint8Array>): void {
    stopKeepAlive = clock.after(keepAliveMs, () => {
      // A caller that does not read gets no comments either.
      if ((controller.desiredSize ?? 0) > 0) controller.enqueue(comment);
      keepAlive(controller);
    });
  }

  async function next(): Promise<TaskEvent | undefined> {
    try {
      const { done, value } = await events.next();
      return done === true ? undefined : value;
    } catch (thrown) {
      if (!gone.signal.aborted) onError(thrown);
      return undefined;
    }
  }

  return new ReadableStream<Uint8Array>({
    start(controller) {
      signal.addEventListener('abort', leave);
      if (signal.aborted) leave();
      controller.enqueue(comment);
      keepAlive(controller);
    },
    async pull(controller) {
      const event = await next();
      if (isOver) return;
      if (event !== undefined) {
        controller.enqueue(encoder.encode(textOf(event.version, json(event))));
        return;
      }
      end();
      controller.close();
    },
    cancel() {
      leave();
      end();
    },
  });
}
