/** Serves a handler by `node:http`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock } from '../platform/clock.ts';
import type { WebHandler } from './fetch-handler.ts';
import { problem } from './problem.ts';

/** How long, in ms, a caller whose request was answered before its end may go on sending it. */
const lingerMs = 1_000;

/**
 * Returns a request listener for `http.createServer` and `https.createServer`. A caller that goes away aborts the request's
 * signal, which ends its event stream.
 *
 * @example
 * ```ts
 * createServer(nodeListener(fetchHandler(client, { tasks, authorize }))).listen(8080);
 * ```
 */
export function nodeListener(
  handler: WebHandler,
): (request: IncomingMessage, response: ServerResponse) => void {
  const clock = systemClock();
  return (incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.once('close', () => gone.abort());
    outgoing.once('finish', () => {
      if (incoming.complete) return;
      const cancel = clock.after(lingerMs, () => incoming.socket.destroy());
      incoming.once('end', cancel).resume();
    });
    void serve(handler, incoming, outgoing, gone.signal).catch(() => outgoing.destroy());
  };
}

async function serve(
  handler: WebHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const request = requestOf(incoming, signal);
  const response =
    request === undefined
      ? problem(400, 'The request line is malformed.', { reason: 'BAD_FIELD' })
      : await handler(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.flushHeaders();
  const reader = response.body?.getReader();
  const leave = (): void => void reader?.cancel().catch(() => {});
  signal.addEventListener('abort', leave);
  for (;;) {
    const next = await reader?.read();
    if (next === undefined || next.done || signal.aborted) break;
    if (!outgoing.write(next.value)) await drained(outgoing, signal);
  }
  signal.removeEventListener('abort', leave);
  outgoing.end();
}

/** Resolves when the caller has read what was written, or is gone. */
function drained(outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    outgoing.on('drain', done);
    signal.addEventListener('abort', done);
  });
}

/** Returns the request of the Fetch standard, or undefined if it cannot be one. */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { headers, method = 'GET', url = '/' } = incoming;
  const scheme = 'encrypted' in incoming.socket ? 'https' : 'http';
  try {
    const hasBody = method !== 'GET' && method !== 'HEAD';
    return new Request(new URL(url, `${scheme}://${headers.host ?? 'localhost'}`), {
      ...{ method, signal, duplex: 'half' },
      headers: headersOf(incoming),
      ...(hasBody && { body: bodyOf(incoming) }),
    } as RequestInit);
  } catch {
    return undefined;
  }
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  return headers;
}

/** The body as a stream that reads a chunk when it is asked for one, and that leaves the connection open when it is cancelled. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = incoming.iterator({ destroyOnReturn: false });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value as Buffer);
    },
    async cancel() {
      await chunks.return?.();
    },
  });
}
