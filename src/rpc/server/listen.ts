/** Opens the gRPC listener, the HTTP listener and the listener for a load balancer, which serve the same Api. */
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { CertificateFiles } from '../../tls/load.ts';
import { ensurePlaintextAllowed } from '../../tls/loopback.ts';
import { type Renewable, renewCertificates, serverTls } from '../../tls/secure-context.ts';
import type { Api } from '../api/api.ts';
import type { ConnectionLimits } from '../auth/connection-counts.ts';
import { Connections } from '../auth/connections.ts';
import { policySource } from '../auth/policy-file.ts';
import { Admission, type AdmissionOptions } from './admission/admission.ts';
import { PeerAuthenticator } from './authenticator.ts';
import { type AlbEndpoint, openAlb } from './forwarded/alb-listener.ts';
import { services } from './grpc/grpc.ts';
import { GrpcSessions } from './grpc/grpc-sessions.ts';
import { ServingState } from './health.ts';
import { httpServer } from './http/http.ts';
import type { HeaderRefusals, Listener, Shared } from './listener.ts';
import { refusalLog } from './refusal-log.ts';
import { logDrops, openPort, watchHandshakes } from './sockets.ts';

/** Time in ms that a closing server waits for streams to end with their status before it destroys the connections. */
const closeMs = 250;

export type Endpoint = {
  readonly host: string;
  /** The TCP port. With 0 the system chooses a free one. */
  readonly port: number;
} & (
  | { readonly tls: CertificateFiles }
  | { /** Serves without TLS, which is allowed on a loopback address only. */ readonly plaintext: true }
);

export type HttpEndpoint = Endpoint & {
  /** Browser origins whose web pages may call the HTTP listener. Default: none. */
  readonly origins?: readonly string[] | undefined;
};

export interface ListenOptions {
  readonly api: Api;
  readonly grpc: Endpoint;
  /** The endpoint of the HTTP listener. If it is absent, the server serves only gRPC. */
  readonly http?: HttpEndpoint | undefined;
  /** The endpoint for a load balancer, which passes on the certificates of its clients. Default: none. */
  readonly alb?: AlbEndpoint | undefined;
  readonly auth?: {
    /**
     * The path of the policy file (JSON), which the server reloads when it changes. Without a policy file every client
     * with a certificate of the installation's authority may make every call.
     */
    readonly policyFile?: string | undefined;
  };
  readonly clock: Clock;
  readonly log: Log;
  /** Other bounds of what clients may hold. Default: those of `src/core/limits.ts`. */
  readonly bounds?: ListenBounds | undefined;
}

export type ListenBounds = Omit<AdmissionOptions, 'clock'> & {
  readonly connections?: ConnectionLimits;
};

export interface ListeningServer {
  readonly grpcPort: number;
  readonly httpPort: number | undefined;
  /** The port of the listener for a load balancer. */
  readonly albPort: number | undefined;
  /** The number of open connections of all listeners. */
  readonly connections: number;
  /** The bytes of open calls and of messages that are being received, as `limits.receivingBytes` counts them. */
  readonly receivingBytes: number;
  /** The number of requests that were refused because they claimed an identity in an HTTP header. */
  readonly forgedHeaders: number;
  /** The counts of each listener's refusals because of a header that describes a client's certificate. */
  readonly headerRefusals: readonly HeaderRefusals[];
  /**
   * Sets whether health checks report SERVING (default: true) or NOT_SERVING, at which load balancers send calls to
   * other nodes. After `drain` health checks always report NOT_SERVING.
   */
  ready(isReady: boolean): void;
  /** Refuses new connections and reports NOT_SERVING to health checks. Open connections continue. Idempotent. */
  drain(): void;
  /** Ends every stream with UNAVAILABLE, reason DRAINING, then closes every connection. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the listeners. Throws FAILED_PRECONDITION with the reason PORT_IN_USE, BAD_CERTIFICATE or
 * BAD_CONFIGURATION (plaintext on an address that other machines can reach, or an invalid policy file).
 */
export async function listen(options: ListenOptions): Promise<ListeningServer> {
  const { clock } = options;
  for (const endpoint of [options.grpc, options.http]) {
    if (endpoint !== undefined && 'plaintext' in endpoint) ensurePlaintextAllowed(endpoint.host);
  }
  const policy = await policySource(options.auth?.policyFile, options);
  const health = new ServingState(services.map(({ typeName }) => typeName));
  const shared: Shared = { policy, health, admission: new Admission({ ...options.bounds, clock }) };
  const opened: Listener[] = [];
  const open = async <T extends Listener>(opening: Promise<T>): Promise<T> => {
    const listener = await opening;
    opened.push(listener);
    return listener;
  };
  const { http, alb } = options;
  const albDeps = { ...options, most: options.bounds?.connections };
  try {
    const listeners = {
      grpc: await open(openGrpc(options, shared)),
      http: http === undefined ? undefined : await open(openHttp(options, http, shared)),
      alb: alb === undefined ? undefined : await open(openAlb(albDeps, alb, shared)),
    };
    return listeningServer(listeners, opened, shared, clock);
  } catch (thrown) {
    policy.stop();
    for (const listener of opened) listener.stop();
    throw thrown;
  }
}

function listeningServer(
  { grpc, http, alb }: Readonly<Record<'http' | 'alb', Listener | undefined>> & { readonly grpc: Listener },
  listeners: readonly Listener[],
  { health, policy, admission }: Shared,
  clock: Clock,
): ListeningServer {
  let closing: Promise<void> | undefined;
  const drain = (): void => {
    health.stop();
    for (const { server } of listeners) if (server.listening) server.close();
  };
  async function close(): Promise<void> {
    drain();
    policy.stop();
    for (const { connections } of listeners) connections.cutAll(shuttingDown);
    for (const listener of listeners) listener.stop();
    const allClosed = Promise.all(listeners.map(({ connections }) => connections.empty()));
    const sleeping = new AbortController();
    await Promise.race([allClosed, clock.sleep(closeMs, sleeping.signal)]);
    sleeping.abort();
    for (const { connections } of listeners) connections.destroyAll();
    await allClosed;
  }
  return {
    grpcPort: grpc.port,
    httpPort: http?.port,
    albPort: alb?.port,
    get connections() {
      return listeners.reduce((sum, { connections }) => sum + connections.count, 0);
    },
    get receivingBytes() {
      return admission.budget.bytes;
    },
    get forgedHeaders() {
      return listeners.reduce((sum, { refusals }) => sum + refusals().forged, 0);
    },
    get headerRefusals() {
      return listeners.map(({ refusals }) => refusals());
    },
    ready: (isReady) => health.ready(isReady),
    drain,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

const shuttingDown = new HoldfastError('UNAVAILABLE', 'DRAINING', 'The server is shutting down.', {
  help: 'Connect again; another node, or this one after its restart, will answer.',
});

async function openGrpc(
  { api, grpc, clock, log, bounds }: ListenOptions,
  { policy, health, admission }: Shared,
): Promise<Listener> {
  const warnings = refusalLog(log, clock);
  const connections = new Connections('grpc', {
    ...{ policy, clock, log: warnings },
    most: bounds?.connections,
  });
  const authenticator = new PeerAuthenticator(warnings);
  const sessions = new GrpcSessions({ api, authenticator, admission, health, clock });
  const accept = (socket: Socket): void => {
    // grpc-js handles errors of HTTP/2 sessions only: a socket that is reset before its session exists would end the
    // process.
    socket.on('error', () => {});
    const connection = connections.open(socket);
    if (connection !== undefined) sessions.serve(socket, connection.authorization instanceof HoldfastError);
  };
  // Our own TLS server runs in front of grpc-js: it authenticates each peer once per connection instead of once per
  // call, logs failed handshakes, and can exchange its certificate while it runs.
  const server =
    'tls' in grpc
      ? createTlsServer({ ...serverTls(grpc.tls, clock), ALPNProtocols: ['h2'] }, accept)
      : createNetServer({ noDelay: true }, accept);
  if ('tls' in grpc) watchHandshakes(server, 'grpc', clock, warnings);
  logDrops(server, 'grpc', warnings);
  const port = await openPort(server, grpc.host, grpc.port);
  const stopRenewing = renew(server, grpc, { clock, log });
  const stop = (): void => {
    stopRenewing();
    if (server.listening) server.close();
    sessions.stop();
  };
  return { server, connections, port, refusals: refusalsOf('grpc', authenticator), stop };
}

function refusalsOf(
  listener: HeaderRefusals['listener'],
  authenticator: PeerAuthenticator,
): Listener['refusals'] {
  return () => ({ listener, forged: authenticator.forgedHeaders, certificate: 0, network: 0 });
}

function renew(
  server: NetServer,
  endpoint: Endpoint,
  deps: Pick<ListenOptions, 'clock' | 'log'>,
): () => void {
  if (!('tls' in endpoint)) return () => {};
  return renewCertificates(server as NetServer & Renewable, endpoint.tls, deps);
}

async function openHttp(
  { api, clock, log, bounds }: ListenOptions,
  http: HttpEndpoint,
  { policy, health, admission }: Shared,
): Promise<Listener> {
  const warnings = refusalLog(log, clock);
  const connections = new Connections('http', {
    ...{ policy, clock, log: warnings },
    most: bounds?.connections,
  });
  const authenticator = new PeerAuthenticator(warnings);
  const tls = 'tls' in http ? serverTls(http.tls, clock) : undefined;
  const server = httpServer(tls, {
    api,
    clock,
    health,
    authenticator,
    admission,
    origins: http.origins ?? [],
  });
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.on('error', () => {});
    connections.open(socket);
  });
  if ('tls' in http) watchHandshakes(server, 'http', clock, warnings);
  logDrops(server, 'http', warnings);
  const port = await openPort(server, http.host, http.port);
  const stopRenewing = renew(server, http, { clock, log });
  const stop = (): void => {
    stopRenewing();
    server.close();
  };
  return { server, connections, port, refusals: refusalsOf('http', authenticator), stop };
}
