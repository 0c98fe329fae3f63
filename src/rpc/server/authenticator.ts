/** Authenticates every call of the gRPC and HTTP listeners before its handler runs. */
import { HoldfastError } from '../../core/errors.ts';
import type { Log } from '../../ports/log.ts';
import type { Identity } from '../api/api.ts';
import { type Connection, connectionOf } from '../auth/connections.ts';

/** Prefix of the headers in which a load balancer describes a client's certificate. Any client could forge them. */
const forwardedHeaderPrefix = 'x-amzn-mtls-';

export interface AuthenticatedCaller {
  readonly identity: Identity;
  readonly connection: Connection;
}

export class Authenticator {
  readonly #log: Log;
  /** The number of requests that were refused because they claimed an identity in an HTTP header. */
  forgedHeaders = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Identifies the caller by the socket of its request. Throws UNAUTHENTICATED, PERMISSION_DENIED (also for a forged
   * identity in the headers), or CANCELLED if the connection has closed.
   */
  authenticate(socket: object | undefined, headers: Readonly<Record<string, unknown>>): AuthenticatedCaller {
    const connection = connectionOf(socket);
    if (connection === undefined) throw connectionClosed;
    for (const name in headers)
      if (name.startsWith(forwardedHeaderPrefix)) throw this.#forged(connection.address, name);
    return this.callerOf(socket);
  }

  /** Returns the caller of a call whose headers were checked before, with its current permissions. Throws likewise. */
  callerOf(socket: object | undefined): AuthenticatedCaller {
    const connection = connectionOf(socket);
    if (connection === undefined) throw connectionClosed;
    const { authorization } = connection;
    if (authorization instanceof HoldfastError) {
      connection.logRefusal(authorization);
      throw authorization;
    }
    return { identity: authorization, connection };
  }

  #forged(peer: string, name: string): HoldfastError {
    this.forgedHeaders++;
    this.#log.warn({ peer, header: name }, 'a request was refused: it claims an identity by a header');
    return new HoldfastError(
      'PERMISSION_DENIED',
      'DENIED',
      `Requests with the header '${name}' are refused here.`,
      { help: 'Connect with a client certificate; only the listener for a load balancer takes this header.' },
    );
  }
}

export const connectionClosed = new HoldfastError('CANCELLED', 'ABANDONED', 'The connection closed.');
