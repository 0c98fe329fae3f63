import type { TaskStatus } from '../client/tasks/status.ts';
import { isEnd } from '../client/tasks/status.ts';
import type { Clock } from '../ports/clock.ts';
import { type FindParts, findTask } from './find-task.ts';
import { problem } from './problem.ts';
import { eventStream } from './task-events.ts';
import { eventJson, type Shown } from './task-json.ts';

export interface WatchOptions {
  /** How many streams may be open at a time. */
  readonly most: number;
  readonly clock: Clock;
  readonly shown: Shown;
  readonly keepAliveMs: number;
  readonly onError: (thrown: unknown) => void;
}

/** Answers requests for the events of a task, as many at a time as the limit says. */
export class EventStreams {
  readonly #options: WatchOptions;
  #open = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  async answer(id: string, { headers, signal }: Request, parts: FindParts): Promise<Response> {
    if (this.#open >= this.#options.most) return tooMany(this.#options.most);
    this.#open++;
    let isStreaming = false;
    try {
      const status = await findTask(id, signal, parts);
      if (status instanceof Response) return status;
      const after = lastEventOf(headers.get('last-event-id'), status);
      if (after instanceof Response) return after;
      isStreaming = true;
      return this.#stream(status.id, after, signal, parts);
    } finally {
      if (!isStreaming) this.#open--;
    }
  }

  #stream(id: string, after: number, signal: AbortSignal, { client }: FindParts): Response {
    const { shown } = this.#options;
    const stream = eventStream({
      ...{ ...this.#options, signal },
      open: (gone) => client.task(id).events({ after, signal: gone }),
      json: (event) => eventJson(event, shown),
      onEnd: () => this.#open--,
    });
    const type = { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' };
    // nginx keeps an answer back until it has some KB of it, unless this header says otherwise.
    return new Response(stream, { headers: { ...type, 'x-accel-buffering': 'no' } });
  }
}

/**
 * Returns the version of the last event that the caller has, 0 if it has none. If it has the last event of a task that has
 * ended it gets 204, after which a browser does not connect again.
 */
function lastEventOf(header: string | null, { state, version }: TaskStatus): number | Response {
  if (header === null || header === '') return 0;
  const after = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (!(after <= version))
    return problem(400, 'Last-Event-ID: give the id of an event of this task.', { reason: 'BAD_FIELD' });
  return after === version && isEnd(state) ? new Response(null, { status: 204 }) : after;
}

function tooMany(most: number): Response {
  const detail = `This server has ${most} event streams open, as many as it may have. Try again later.`;
  return problem(503, detail, { reason: 'LIMIT_REACHED' }, { 'retry-after': '5' });
}
