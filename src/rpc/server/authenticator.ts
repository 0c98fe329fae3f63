/** Authenticates every call of the gRPC and HTTP listeners before its handler runs. */
import { HoldfastError } from '../../core/errors.ts';
import type { Log } from '../../ports/log.ts';
import type { Identity } from '../api/api.ts';
import { type Connection, connectionOf } from '../auth/connections.ts';

/** The headers of a request. */
export type Headers = Readonly<Record<string, unknown>>;

/** Decides who makes the calls of one listener. */
export interface Authenticator {
  /**
   * Returns the connection of the call's client, whose authorization says who calls. Throws UNAUTHENTICATED,
   * PERMISSION_DENIED (also for a forged identity in the headers), or CANCELLED if the connection has closed.
   */
  connectionOf(socket: object | undefined, headers: Headers): Connection;
  /** Whether a client without an identity, a stranger, may make calls of this path. */
  isOpen(path: string): boolean;
}

/** Prefix of the headers in which a load balancer describes a client's certificate. Any client could forge them. */
export const forwardedPrefix = 'x-amzn-mtls-';

/** Returns the first header of a request that describes a client's certificate, or undefined. */
export function forwardedHeader(headers: Headers): string | undefined {
  for (const name in headers) if (name.startsWith(forwardedPrefix)) return name;
  return undefined;
}

/** The services whose calls need no identity. Their messages are small. */
const openServices = /^\/grpc\.(health|reflection)\./;

/** Identifies callers by the certificates of their connections, and refuses all requests that claim another identity. */
export class PeerAuthenticator implements Authenticator {
  readonly #log: Log;
  /** The number of requests that were refused because they claimed an identity in an HTTP header. */
  forgedHeaders = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  isOpen(path: string): boolean {
    return openServices.test(path);
  }

  connectionOf(socket: object | undefined, headers: Headers): Connection {
    const connection = connectionOf(socket);
    if (connection === undefined) throw connectionClosed;
    this.ensureNotForged(connection.address, headers);
    return connection;
  }

  /** Throws PERMISSION_DENIED, and counts the request, if it claims an identity in an HTTP header. */
  ensureNotForged(peer: string, headers: Headers): void {
    const header = forwardedHeader(headers);
    if (header === undefined) return;
    this.forgedHeaders++;
    this.#log.warn({ peer, header }, 'a request was refused: it claims an identity by a header');
    throw new HoldfastError(
      'PERMISSION_DENIED',
      'DENIED',
      `Requests with the header '${header}' are refused here.`,
      { help: 'Connect with a client certificate; only the listener for a load balancer takes this header.' },
    );
  }
}

/** Returns the identity of a connection's client. Throws UNAUTHENTICATED or PERMISSION_DENIED if it has none, and logs this. */
export function identityOf(connection: Connection): Identity {
  const { authorization } = connection;
  if (!(authorization instanceof HoldfastError)) return authorization;
  connection.logRefusal(authorization);
  throw authorization;
}

export const connectionClosed = new HoldfastError('CANCELLED', 'ABANDONED', 'The connection closed.');
