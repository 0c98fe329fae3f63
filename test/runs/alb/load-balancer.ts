/**
 * A load balancer in the role of AWS's Application Load Balancer: it ends the mutual TLS of its clients, adds the headers
 * of their certificates, and passes each call on by HTTP/2 connections of its own, which all clients share. It cuts what a
 * load balancer cuts.
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { encodeLeaf, leafHeader } from '../../fixtures/leaf-header.ts';
import { type ForwardedStream, forward } from './forward.ts';
import { Target } from './target.ts';

export interface LoadBalancerOptions {
  /** Its own certificate, and the authorities of its clients and of its targets. */
  readonly tls: CertificateFiles;
  /** The ports of the targets on this machine. */
  readonly targets: readonly number[];
  /** The time in ms after which a connection is cut that carries nothing. */
  readonly idleMs: number;
}

/** The kinds of cuts: of calls by resets, of connections that were idle, of connections at once or after a GOAWAY. */
export type CutKind = 'deregistered' | 'idle' | 'reset' | 'goAway' | 'connection';

const idleCheckMs = 200;
/** The calls of one connection of a client. */
const maxConcurrentStreams = 128;
/** The codes with which calls are reset. */
const resetCodes = [
  constants.NGHTTP2_INTERNAL_ERROR,
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_REFUSED_STREAM,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
] as const;

interface Client {
  readonly session: ServerHttp2Session;
  /** The headers by which the client's certificate is passed on. */
  readonly headers: IncomingHttpHeaders;
  activeAtMs: number;
}

export class LoadBalancer {
  readonly #server: Http2SecureServer;
  readonly #targets: readonly Target[];
  readonly #clients = new Set<Client>();
  /** The TCP connections of the clients. */
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Set<ForwardedStream>();
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  readonly cuts: Record<CutKind, number> = { deregistered: 0, idle: 0, reset: 0, goAway: 0, connection: 0 };
  /** The number of calls that were passed on. */
  calls = 0;
  idleMs: number;

  private constructor({ tls, targets, idleMs }: LoadBalancerOptions) {
    const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((file) => readFileSync(file));
    this.idleMs = idleMs;
    this.#targets = targets.map((port) => new Target(port, tls.ca));
    // Verify mode: a client without a certificate of the trust store gets no connection.
    const verify = { requestCert: true, rejectUnauthorized: true } as const;
    this.#server = createSecureServer({ ca, cert, key, ...verify, settings: { maxConcurrentStreams } });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('session', (session) => this.#accept(session));
    this.#server.on('tlsClientError', () => {});
    this.#timer = setInterval(() => this.#cutIdle(), idleCheckMs);
  }

  static async start(options: LoadBalancerOptions): Promise<LoadBalancer> {
    const balancer = new LoadBalancer(options);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get allCuts(): number {
    return Object.values(this.cuts).reduce((sum, count) => sum + count, 0);
  }

  #accept(session: ServerHttp2Session): void {
    const client = { session, headers: headersOf(session.socket as TLSSocket), activeAtMs: Date.now() };
    this.#clients.add(client);
    session.on('error', () => {});
    session.once('close', () => this.#clients.delete(client));
    session.on('stream', (stream, headers) => this.#pass(client, stream, headers));
  }

  /** Passes a call on to the next healthy target. */
  #pass(client: Client, stream: ServerHttp2Stream, received: IncomingHttpHeaders): void {
    stream.on('error', () => {});
    client.activeAtMs = Date.now();
    const healthy = this.#targets.filter(({ isInService }) => isInService);
    const target = healthy[this.#next++ % healthy.length];
    if (target === undefined) {
      stream.respond({ ':status': 503 }, { endStream: true });
      return;
    }
    const own = Object.entries(received).filter(([name]) => !name.startsWith('x-amzn-mtls-'));
    const headers = { ...Object.fromEntries(own), ...client.headers, 'x-forwarded-for': '203.0.113.7' };
    const active = (): void => {
      client.activeAtMs = Date.now();
    };
    const forwarded = forward(stream, target, headers, active);
    this.calls++;
    this.#streams.add(forwarded);
    stream.once('close', () => this.#streams.delete(forwarded));
  }

  #cutIdle(): void {
    for (const { session, activeAtMs } of this.#clients) {
      if (Date.now() - activeAtMs < this.idleMs) continue;
      this.cuts.idle++;
      session.destroy();
    }
  }

  /** Resolves once a target has passed its health checks. */
  async untilHealthy(port: number): Promise<void> {
    await this.#target(port).untilHealthy();
  }

  /** Sends a target no further calls. Calls that it has go on. */
  deregister(port: number): void {
    this.#target(port).deregister();
  }

  /** Cuts the calls and the connections of a target, at the end of its deregistration delay. */
  cutTarget(port: number): void {
    const target = this.#target(port);
    const own = [...this.#streams].filter((stream) => stream.target === target);
    this.cuts.deregistered += own.length;
    target.cut();
  }

  #target(port: number): Target {
    const found = this.#targets.find((target) => target.port === port);
    if (found === undefined) throw new RangeError(`no target has the port ${port}`);
    return found;
  }

  /** Resets some of the open calls, by different codes: towards the client, towards the target, or both. */
  resetCalls(share: number): void {
    for (const stream of this.#streams) {
      if (Math.random() >= share) continue;
      const code = resetCodes[this.cuts.reset++ % resetCodes.length] as number;
      stream.reset(code, (['client', 'target', 'both'] as const)[this.cuts.reset % 3] ?? 'both');
    }
  }

  /** Sends GOAWAY to every client, and closes the connections after a while with the calls that still are on them. */
  goAway(graceMs: number): void {
    for (const { session } of this.#clients) {
      this.cuts.goAway++;
      session.goaway(constants.NGHTTP2_NO_ERROR);
      setTimeout(() => session.destroy(), graceMs).unref();
    }
  }

  /** Cuts connections at once: those of clients, or those to the targets. */
  cutConnections(side: 'clients' | 'targets'): void {
    if (side === 'targets') {
      this.cuts.connection += this.#targets.reduce((sum, target) => sum + target.cut(), 0);
      return;
    }
    this.cuts.connection += this.#sockets.size;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const { session } of this.#clients) session.destroy();
    for (const target of this.#targets) target.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Returns the headers by which a load balancer in verify mode describes the certificate of its client. */
function headersOf(socket: TLSSocket): IncomingHttpHeaders {
  const { raw, serialNumber } = socket.getPeerCertificate();
  const certificate = new X509Certificate(raw);
  const described = 'x-amzn-mtls-clientcert';
  return {
    [leafHeader]: encodeLeaf(certificate.toString()),
    [`${described}-serial-number`]: serialNumber,
    [`${described}-subject`]: certificate.subject.replaceAll('\n', ','),
    [`${described}-issuer`]: certificate.issuer.replaceAll('\n', ','),
    [`${described}-validity`]: `NotBefore=${certificate.validFromDate.toISOString()};NotAfter=${certificate.validToDate.toISOString()}`,
  };
}
