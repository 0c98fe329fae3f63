import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Answer } from './call.ts';

/** `refuse`: nobody listens (ECONNREFUSED). `error`: all is answered 500. `hang`: nothing is answered. */
export type Outage = 'refuse' | 'error' | 'hang';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Fires when the caller's connection is gone before it was answered. */
  readonly gone: AbortSignal;
}

export interface Front {
  /** `http://127.0.0.1:<port>`; the port stays the same through an outage. */
  readonly url: string;
  outage(kind: Outage | undefined): Promise<void>;
  close(): Promise<void>;
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** The listening half of a proxy. `serve` says what each request is answered; `lose` destroys its socket. */
export async function startFront(
  serve: (received: Received) => Promise<Answer | 'lose'>,
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
      // What the caller tore off, or what could not be forwarded: its connection ends as well.
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
      // What hung has nobody left who would answer it.
      else if (before === 'hang' && kind === undefined) for (const socket of sockets) socket.destroy();
    },
    async close() {
      if (outage !== 'refuse') await stop();
      else outage = undefined;
    },
  };
}
