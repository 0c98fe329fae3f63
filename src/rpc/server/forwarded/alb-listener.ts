/** The gRPC listener for a load balancer of AWS, which ends the TLS of its clients and passes on their certificates. */
import { createServer as createNetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import { ForwardedCertificates } from '../../../tls/forwarded-certificates.ts';
import type { CertificateFiles } from '../../../tls/load.ts';
import { Networks } from '../../../tls/networks.ts';
import { renewCertificates, serverTls } from '../../../tls/secure-context.ts';
import type { Api } from '../../api/api.ts';
import type { ConnectionLimits } from '../../auth/connection-counts.ts';
import { Connections } from '../../auth/connections.ts';
import { GrpcSessions } from '../grpc/grpc-sessions.ts';
import type { Listener, Shared } from '../listener.ts';
import { refusalLog } from '../refusal-log.ts';
import { logDrops, openPort, watchHandshakes } from '../sockets.ts';
import { ForwardedAuthenticator, noForwardedCertificate } from './forwarded-authenticator.ts';
import { ForwardedCallers } from './forwarded-callers.ts';

export interface AlbEndpoint {
  readonly host: string;
  /** The TCP port. With 0 the system chooses a free one. */
  readonly port: number;
  /** The server's certificate, and the authorities of the clients, with all authorities between. */
  readonly tls: CertificateFiles;
  /** The networks of the load balancer in CIDR. Connections from other addresses are closed at once. */
  readonly networks: readonly string[];
  /** Whether the load balancer speaks to this port without TLS (h2c). Default: false. */
  readonly isPlaintext?: boolean | undefined;
}

export interface AlbDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly log: Log;
  readonly most?: ConnectionLimits | undefined;
}

/** The minimum time in ms between two log lines about connections from other networks. */
const logIntervalMs = 1_000;

export async function openAlb(
  { api, clock, log, most }: AlbDeps,
  endpoint: AlbEndpoint,
  { policy, health, admission }: Shared,
): Promise<Listener> {
  const networks = new Networks(endpoint.networks);
  const certificates = await ForwardedCertificates.open(endpoint.tls.ca, { clock, log });
  const warnings = refusalLog(log, clock);
  const callers = new ForwardedCallers({ policy, log: warnings });
  const authenticator = new ForwardedAuthenticator({ certificates, callers, log: warnings });
  const connections = new Connections('alb', {
    ...{ policy, clock, log: warnings, most },
    shared: noForwardedCertificate,
  });
  const sessions = new GrpcSessions({ api, authenticator, admission, health, clock });
  const accept = (socket: Socket): void => {
    socket.on('error', () => {});
    if (connections.open(socket) !== undefined) sessions.serve(socket, false);
  };
  const secured =
    endpoint.isPlaintext === true ? undefined : secureServer(endpoint.tls, accept, { clock, log });
  const others = new OtherNetworks(clock, log);
  // The address is examined before the handshake, which would cost time for every machine.
  const server = createNetServer({ noDelay: true }, (socket) => {
    if (!networks.contains(socket.remoteAddress)) others.refuse(socket);
    else if (secured === undefined) accept(socket);
    else secured.server.emit('connection', socket);
  });
  logDrops(server, 'alb', warnings);
  const stop = (): void => {
    certificates.stop();
    secured?.stop();
    if (server.listening) server.close();
    sessions.stop();
  };
  try {
    const port = await openPort(server, endpoint.host, endpoint.port);
    const refusals: Listener['refusals'] = () => ({
      listener: 'alb',
      forged: 0,
      certificate: authenticator.refusedCertificates,
      network: others.count,
    });
    return { server, connections, port, refusals, stop };
  } catch (thrown) {
    stop();
    throw thrown;
  }
}

/** Returns the TLS server behind the port, which needs no certificate of the load balancer. */
function secureServer(
  files: CertificateFiles,
  accept: (socket: Socket) => void,
  deps: Pick<AlbDeps, 'clock' | 'log'>,
) {
  const { clock, log } = deps;
  const options = { ...serverTls(files, clock), requestCert: false, ALPNProtocols: ['h2'] };
  const server = createTlsServer(options, accept);
  watchHandshakes(server, 'alb', clock, refusalLog(log, clock));
  return { server, stop: renewCertificates(server, files, deps) };
}

/** Closes connections from addresses that are not the load balancer's, and logs them once a second. */
class OtherNetworks {
  readonly #clock: Clock;
  readonly #log: Log;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  /** The number of connections that were closed. */
  count = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  refuse(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.on('error', () => {});
    socket.destroy();
    this.count++;
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#loggedAtMs < logIntervalMs) return;
    this.#loggedAtMs = nowMs;
    this.#log.warn(
      { listener: 'alb', peer, connections: this.count },
      'a connection was refused: its address is in none of the networks of the load balancer (--alb-from)',
    );
  }
}
