import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HoldfastError } from '../../core/errors.ts';
import { messageOf } from '../../core/untrusted.ts';

export interface CountsListener {
  readonly port: number;
  close(): void;
}

/** The most connections at one time: two servers of Prometheus and some people. */
const mostConnections = 16;
const requestMs = 5_000;

/**
 * Serves a text of metrics at `/metrics`, for GET and HEAD alone.
 *
 * @throws HoldfastError FAILED_PRECONDITION, reason PORT_IN_USE or BAD_CONFIGURATION, if it cannot listen.
 */
export async function listenForScrapes(
  host: string,
  port: number,
  text: () => string,
): Promise<CountsListener> {
  const options = { headersTimeout: requestMs, requestTimeout: requestMs, keepAliveTimeout: 60_000 };
  const server = createServer({ ...options, maxHeaderSize: 8_192 }, (request, response) => {
    request.resume();
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405).end();
    else if (path !== '/metrics') response.writeHead(404).end('See /metrics.\n');
    else response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text());
  });
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((thrown: unknown) => {
    const isInUse = (thrown as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const message = isInUse
      ? `The port ${port} of ${host} is in use.`
      : `Cannot listen on ${host}:${port}: ${messageOf(thrown)}.`;
    throw new HoldfastError('FAILED_PRECONDITION', isInUse ? 'PORT_IN_USE' : 'BAD_CONFIGURATION', message, {
      help: 'Give another --metrics-port, or 0 for any free one.',
    });
  });
  server.on('error', () => {});
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
