import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Answer } from './call.ts';

/**
 * A kind of outage of a proxy: `refuse` closes the port (ECONNREFUSED), `error` answers every request with HTTP 500,
 * `hang` never answers.
 */
export type Outage = 'refuse' | 'error' | 'hang';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** A signal that is aborted when the caller disconnects before it got the answer. */
  readonly gone: AbortSignal;
}

export interface Front {
  /** The URL of the proxy, `http://127.0.0.1:<port>`. The port stays the same through an outage. */
  readonly url: string;
  outage(kind: Outage | undefined): Promise<void>;
  close(): Promise<void>;
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/**
 * Starts the HTTP server of a proxy. `serve` returns the answer to each request, or `lose` to destroy the caller's
 * socket.
 */
export async function startFront(
  serve: (received: ReceivedRequest) => Promise<Answer | 'lose'>,
  errorAnswer: () => Answer,
): Promise<Front> {
  let outage: Outage | undefined;
  let port = 0;
  let server: Server;
  const sockets = new Set<Socket>();

  function reply(response: ServerResponse, answer: Answer | 'lose'): void {
    if (answer === 'lose') response.socket?.destroy();
    else if (!response.destroyed) response.writeHead(answer.status, { ...answer.headers }).end(answer.body);
  }

  async function take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => !response.writableEnded && gone.abort());
    const body = await bodyOf(incoming);
    if (outage === 'hang') return;
    if (outage === 'error') return reply(response, errorAnswer());
    const { method = 'POST', url: path = '/', headers } = incoming;
    reply(response, await serve({ method, path, headers, body, gone: gone.signal }));
  }

  async function listen(): Promise<void> {
    server = createServer((incoming, response) => {
      // If the caller aborted its request, or the request could not be forwarded, the connection is closed.
      take(incoming, response).catch(() => response.socket?.destroy());
    });
    server.keepAliveTimeout = 60_000;
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    port = (server.address() as AddressInfo).port;
  }

  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  await listen();
  return {
    url: `http://127.0.0.1:${port}`,
    async outage(kind) {
      const before = outage;
      outage = kind;
      if (kind === 'refuse' && before !== 'refuse') await stop();
      else if (before === 'refuse' && kind !== 'refuse') await listen();
      // Requests that came during the `hang` outage will never be answered, so their connections are closed.
      else if (before === 'hang' && kind === undefined) for (const socket of sockets) socket.destroy();
    },
    async close() {
      if (outage !== 'refuse') await stop();
      else outage = undefined;
    },
  };
}
