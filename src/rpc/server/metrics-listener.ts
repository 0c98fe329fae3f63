/** The listener by which Prometheus reads the metrics of a process, beside the listeners of the API. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { isLoopback } from '../../tls/loopback.ts';
import { forwardedHeader } from './authenticator.ts';
import { closeIdleConnections } from './idle-connections.ts';
import { refusalLog } from './refusal-log.ts';
import { openPort } from './sockets.ts';

/** How many connections may be open: two Prometheus servers, and people with curl. */
const mostConnections = 16;
const mostHeaderBytes = 8_192;
/** How long an idle connection stays open, in ms, so that a scraper that comes every 15 s uses one again. */
const keepAliveMs = 20_000;
/** The time in ms after which a connection is cut whose client does not read. */
const stalledMs = 30_000;

export interface MetricsListenerOptions {
  readonly host: string;
  /** The TCP port. With 0 the system chooses a free one. */
  readonly port: number;
  readonly contentType: string;
  /** Collects the metrics and returns them as text. */
  read(): Promise<string>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}

export interface MetricsListener {
  readonly port: number;
  /** The number of requests that were refused because they claimed an identity in an HTTP header. */
  readonly forgedHeaders: number;
  close(): Promise<void>;
}

/** Opens the listener. @throws HoldfastError PORT_IN_USE or BAD_CONFIGURATION. */
export async function openMetricsListener(options: MetricsListenerOptions): Promise<MetricsListener> {
  const { host, clock, log, contentType } = options;
  const refusals = refusalLog(log, clock);
  const isLocal = isLoopback(host);
  let collecting: Promise<Buffer> | undefined;
  // Requests that come while the metrics are collected share the result: a flood of them costs one collection at a time.
  const text = (): Promise<Buffer> => {
    collecting ??= options
      .read()
      .then((read) => Buffer.from(read))
      .finally(() => {
        collecting = undefined;
      });
    return collecting;
  };

  let forgedHeaders = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const header = forwardedHeader(request.headers);
    if (header !== undefined) {
      forgedHeaders++;
      const peer = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
      refusals.warn({ peer, header }, 'a request was refused: it claims an identity by a header');
    }
    const refusal = header === undefined ? refusalOf(request, isLocal) : forged;
    if (refusal !== undefined) {
      response.writeHead(refusal.status, { ...plain, ...refusal.headers, connection: 'close' });
      response.end(`${refusal.text}\n`);
      return;
    }
    try {
      const body = await text();
      response.writeHead(200, { 'content-type': contentType, 'content-length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
    } catch (err) {
      log.error({ err }, 'could not collect the metrics');
      response.writeHead(500, plain);
      response.end('The metrics could not be collected; the log says why.\n');
    }
  };

  const limits = {
    maxHeaderSize: mostHeaderBytes,
    headersTimeout: timing.headersMs,
    requestTimeout: timing.headersMs,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: keepAliveMs,
  };
  const server = createServer(limits, (request, response) => void answer(request, response));
  server.timeout = stalledMs;
  // A process whose verb has failed must end although its metrics are shown.
  server.unref();
  server.on('connection', (socket) => socket.unref());
  const port = await openPort(server, host, options.port);
  closeIdleConnections(server, mostConnections);
  return {
    port,
    get forgedHeaders() {
      return forgedHeaders;
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

const plain = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };

interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const forged: Refusal = {
  status: 403,
  text: 'Requests with the header of a load balancer (x-amzn-mtls-…) are refused here.',
};

/** Returns why a request is refused, or undefined for one that reads the metrics. `isLocal`: the listener is on loopback. */
function refusalOf(
  { url = '', method = '', headers }: IncomingMessage,
  isLocal: boolean,
): Refusal | undefined {
  const path = url.split('?')[0] ?? '';
  const site = headers['sec-fetch-site'];
  // A browser sends this header: a web page must not read the metrics of a local server, a person may.
  if (headers.origin !== undefined || (site !== undefined && site !== 'none'))
    return { status: 403, text: 'Requests from web pages are refused here.' };
  if (isLocal && !namesThisMachine(headers.host)) {
    const text =
      'On a loopback address the metrics are read by an address or as localhost, not by another name.';
    return { status: 403, text };
  }
  if (path !== '/metrics')
    return { status: 404, text: 'There is nothing here. The metrics are at /metrics.' };
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, text: 'Only GET reads the metrics.', headers: { allow: 'GET, HEAD' } };
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
    return { status: 400, text: 'A request for the metrics has no body.' };
  return undefined;
}

/**
 * Returns true unless the request names a host other than this machine. A web page whose name leads to this address sends
 * that name, and over plain HTTP neither an origin nor the header `sec-fetch-site`.
 */
function namesThisMachine(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d*$/, '').toLowerCase();
  return name === 'localhost' || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}
