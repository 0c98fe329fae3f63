/** What is asked of every call before its handler runs, on every listener. */
import { HoldfastError } from '../../core/errors.ts';
import type { Log } from '../../ports/log.ts';
import type { Identity } from '../api/api.ts';
import { type Connection, connectionOf } from '../auth/connections.ts';

/** What a load balancer that checked a certificate says of it. Anyone else could write the same. */
const forwarded = 'x-amzn-mtls-';

export interface Admitted {
  readonly identity: Identity;
  readonly connection: Connection;
}

export class Admission {
  readonly #log: Log;
  /** Requests refused because they claimed an identity by a header. */
  forgedHeaders = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** By the socket that the request came over. Throws UNAUTHENTICATED or PERMISSION_DENIED. */
  admit(socket: object | undefined, headers: Readonly<Record<string, unknown>>): Admitted {
    const connection = connectionOf(socket);
    if (connection === undefined) throw gone;
    for (const name in headers) if (name.startsWith(forwarded)) throw this.#forged(connection.address, name);
    const { verdict } = connection;
    if (verdict instanceof HoldfastError) {
      connection.refused(verdict);
      throw verdict;
    }
    return { identity: verdict, connection };
  }

  #forged(peer: string, name: string): HoldfastError {
    this.forgedHeaders++;
    this.#log.warn({ peer, header: name }, 'refused: a request claims an identity by a header');
    return new HoldfastError(
      'PERMISSION_DENIED',
      'DENIED',
      `Requests with the header '${name}' are refused here.`,
      { help: 'Connect with a client certificate; only the listener for a load balancer takes this header.' },
    );
  }
}

const gone = new HoldfastError('CANCELLED', 'ABANDONED', 'The connection closed.');
