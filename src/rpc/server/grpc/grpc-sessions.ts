/**
 * Serves gRPC on open sockets. Peers without an identity have a server of their own with small limits, because grpc-js
 * has the same limits for all sessions of a server.
 */
import type { Http2Server, ServerHttp2Session, ServerOptions } from 'node:http2';
import type { Socket } from 'node:net';
import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';
import { HoldfastError } from '../../../core/errors.ts';
import { limitSession, peerSettings, sessionLimits, strangerSettings } from '../http2-sessions.ts';
import { boundTimeout } from './bound-timeout.ts';
import { type GrpcDeps, grpcServer } from './grpc.ts';

/** Node's limit of the memory of a stranger's HTTP/2 session, in MB. */
const strangerSessionMb = 1;

/** The internals of grpc-js's server. They are undocumented; without them the server does not start. */
interface ServerInternals {
  readonly commonServerOptions: ServerOptions;
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

export class GrpcSessions {
  readonly #servers: readonly Server[];
  readonly #peers: ConnectionInjector;
  readonly #strangers: ConnectionInjector;

  constructor(deps: GrpcDeps) {
    const peers = grpcServer(deps);
    const strangers = grpcServer(deps);
    const onSession = (session: ServerHttp2Session): void => limitSession(session, deps.clock);
    this.#servers = [peers, strangers];
    this.#peers = injectorOf(peers, { settings: peerSettings }, onSession);
    const few: ServerOptions = { settings: strangerSettings, maxSessionMemory: strangerSessionMb };
    this.#strangers = injectorOf(strangers, few, onSession);
  }

  serve(socket: Socket, isStranger: boolean): void {
    (isStranger ? this.#strangers : this.#peers).injectConnection(socket);
  }

  /** Closes each session once its last stream has ended. */
  stop(): void {
    for (const server of this.#servers) server.tryShutdown(() => {});
  }
}

/** Returns the injector of a server, whose HTTP/2 server has these options. */
function injectorOf(
  server: Server,
  options: ServerOptions,
  onSession: (session: ServerHttp2Session) => void,
): ConnectionInjector {
  const { commonServerOptions, http2Servers } = server as unknown as Partial<ServerInternals>;
  if (commonServerOptions === undefined || http2Servers === undefined) {
    throw new HoldfastError('INTERNAL', 'BUG', 'This version of grpc-js hides its HTTP/2 server.', {
      help: 'Install the version of @grpc/grpc-js that Holdfast’s package names.',
    });
  }
  Object.assign(commonServerOptions, sessionLimits, options);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  for (const http2Server of http2Servers.keys()) {
    http2Server.on('session', onSession);
    // This listener runs before that of grpc-js, which reads the same headers.
    http2Server.prependListener('stream', (_stream, headers) => boundTimeout(headers));
  }
  return injector;
}
