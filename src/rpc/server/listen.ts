/** Opens both listeners over one Api. */
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { CertificateFiles } from '../../tls/load.ts';
import { ensurePlaintextAllowed } from '../../tls/loopback.ts';
import { type Renewable, renewCertificates, serverTls } from '../../tls/secure-context.ts';
import type { Api } from '../api/api.ts';
import { Connections } from '../auth/connections.ts';
import { type PolicySource, policySource } from '../auth/policy-file.ts';
import { Admission } from './admission.ts';
import { grpcServer, services } from './grpc/grpc.ts';
import { ServingState } from './health.ts';
import { httpServer } from './http/http.ts';
import { logDrops, openPort, watchHandshakes } from './sockets.ts';

/** How long streams may take to end in order. */
const closeMs = 1_000;

export type Endpoint = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
} & ({ readonly tls: CertificateFiles } | { /** On a loopback address only. */ readonly plaintext: true });

export type HttpEndpoint = Endpoint & {
  /** Browser origins that may call. Default: none. */
  readonly origins?: readonly string[] | undefined;
};

export interface ListenOptions {
  readonly api: Api;
  readonly grpc: Endpoint;
  /** Left out: no HTTP listener. */
  readonly http?: HttpEndpoint | undefined;
  readonly auth?: {
    /** JSON; read anew when it changes. Without one every identity of the authority may do everything. */
    readonly policyFile?: string | undefined;
  };
  readonly clock: Clock;
  readonly log: Log;
}

export interface Listening {
  readonly grpcPort: number;
  readonly httpPort: number | undefined;
  /** Open ones, of both listeners. */
  readonly connections: number;
  /** Requests refused because they claimed an identity by a header. */
  readonly forgedHeaders: number;
  /** What health says, until `drain`: balancers send their calls elsewhere while it is not ready. Default true. */
  ready(isReady: boolean): void;
  /** Takes no more connections and says so to whoever asks for its health. Open ones go on. Idempotent. */
  drain(): void;
  /** Ends every stream with UNAVAILABLE, DRAINING, then every connection. Idempotent. */
  close(): Promise<void>;
}

interface Listener {
  readonly server: NetServer;
  readonly connections: Connections;
  readonly admission: Admission;
  readonly port: number;
  /** Takes no more connections, and ends each open one when its last stream is over. */
  stop(): void;
}

/**
 * Throws FAILED_PRECONDITION: PORT_IN_USE, BAD_CERTIFICATE, BAD_CONFIGURATION (plaintext on an address that others
 * reach, a wrong policy file).
 */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { clock } = options;
  for (const endpoint of [options.grpc, options.http]) {
    if (endpoint !== undefined && 'plaintext' in endpoint) ensurePlaintextAllowed(endpoint.host);
  }
  const policy = policySource(options.auth?.policyFile, options);
  const health = new ServingState(services.map(({ typeName }) => typeName));
  const open: Listener[] = [];
  try {
    open.push(await openGrpc(options, policy, health));
    if (options.http !== undefined) open.push(await openHttp(options, options.http, policy, health));
  } catch (thrown) {
    policy.stop();
    for (const listener of open) listener.stop();
    throw thrown;
  }
  return listening(open, health, clock, policy);
}

function listening(
  open: readonly Listener[],
  health: ServingState,
  clock: Clock,
  policy: PolicySource,
): Listening {
  const [grpc, http] = open as [Listener, Listener | undefined];
  let closing: Promise<void> | undefined;
  const drain = (): void => {
    health.stop();
    for (const { server } of open) if (server.listening) server.close();
  };
  async function close(): Promise<void> {
    drain();
    policy.stop();
    for (const { connections } of open) connections.cutAll(closed);
    for (const listener of open) listener.stop();
    const gone = Promise.all(open.map(({ connections }) => connections.empty()));
    const enough = new AbortController();
    await Promise.race([gone, clock.sleep(closeMs, enough.signal)]);
    enough.abort();
    for (const { connections } of open) connections.destroyAll();
    await gone;
  }
  return {
    grpcPort: grpc.port,
    httpPort: http?.port,
    get connections() {
      return open.reduce((sum, { connections }) => sum + connections.count, 0);
    },
    get forgedHeaders() {
      return open.reduce((sum, { admission }) => sum + admission.forgedHeaders, 0);
    },
    ready: (isReady) => health.ready(isReady),
    drain,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

const closed = new HoldfastError('UNAVAILABLE', 'DRAINING', 'The server is shutting down.', {
  help: 'Connect again; another node, or this one after its restart, will answer.',
});

async function openGrpc(
  { api, grpc, clock, log }: ListenOptions,
  policy: PolicySource,
  health: ServingState,
): Promise<Listener> {
  const connections = new Connections('grpc', { policy, clock, log });
  const admission = new Admission(log);
  const calls = grpcServer({ api, admission, health, clock });
  const injector = calls.createConnectionInjector(ServerCredentials.createInsecure());
  const take = (socket: Socket): void => {
    // grpc-js listens on the session only; a reset between the two would be uncaught.
    socket.on('error', () => {});
    connections.open(socket);
    injector.injectConnection(socket);
  };
  // Our own TLS server in front of grpc-js: it knows each peer once per connection instead of once per call, logs
  // refused handshakes, and takes new certificates.
  const server =
    'tls' in grpc
      ? createTlsServer({ ...serverTls(grpc.tls, clock), ALPNProtocols: ['h2'] }, take)
      : createNetServer({ noDelay: true }, take);
  if ('tls' in grpc) watchHandshakes(server, 'grpc', clock, log);
  logDrops(server, 'grpc', log);
  const port = await openPort(server, grpc.host, grpc.port);
  const stopRenewing = renew(server, grpc, { clock, log });
  const stop = (): void => {
    stopRenewing();
    if (server.listening) server.close();
    calls.tryShutdown(() => {});
  };
  return { server, connections, admission, port, stop };
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
  { api, clock, log }: ListenOptions,
  http: HttpEndpoint,
  policy: PolicySource,
  health: ServingState,
): Promise<Listener> {
  const connections = new Connections('http', { policy, clock, log });
  const admission = new Admission(log);
  const tls = 'tls' in http ? serverTls(http.tls, clock) : undefined;
  const server = httpServer(tls, { api, clock, health, admission, origins: http.origins ?? [] });
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.on('error', () => {});
    connections.open(socket);
  });
  if ('tls' in http) watchHandshakes(server, 'http', clock, log);
  logDrops(server, 'http', log);
  const port = await openPort(server, http.host, http.port);
  const stopRenewing = renew(server, http, { clock, log });
  const stop = (): void => {
    stopRenewing();
    server.close();
  };
  return { server, connections, admission, port, stop };
}
