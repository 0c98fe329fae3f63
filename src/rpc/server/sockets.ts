/** Ports: opening them, saying why not, and telling of connections that came to nothing. */
import type { Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { below, Handshakes } from './handshakes.ts';

/** Of one listener. Those that are in their handshake have places of their own. */
export const mostConnections = 4_096;

/** The port that was taken. Throws FAILED_PRECONDITION with PORT_IN_USE or BAD_CONFIGURATION. */
export function openPort(server: Server, host: string, port: number): Promise<number> {
  server.maxConnections = mostConnections + limits.handshakes;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(notOpened(host, port, error));
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function notOpened(host: string, port: number, error: NodeJS.ErrnoException): HoldfastError {
  if (error.code === 'EADDRINUSE') {
    return new HoldfastError('FAILED_PRECONDITION', 'PORT_IN_USE', `The port ${port} of ${host} is in use.`, {
      help: `Choose another port, or stop what listens there (\`lsof -i :${port}\` names it). Is a holdfast already running?`,
      cause: error,
    });
  }
  const why =
    error.code === 'EACCES'
      ? 'this user may not open it'
      : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
        ? 'this machine has no such address'
        : error.message;
  return new HoldfastError(
    'FAILED_PRECONDITION',
    'BAD_CONFIGURATION',
    `The port ${port} of ${host} cannot be opened: ${why}.`,
    { help: 'Choose another host or port.', cause: error },
  );
}

/**
 * Bounds the handshakes of a TLS listener. Those that failed are logged with peer and reason, since the client is seldom
 * told one.
 */
export function watchHandshakes(server: Server, listener: string, clock: Clock, log: Log): void {
  const handshakes = new Handshakes(server, { listener, clock, log });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const raw = below(socket);
    if (handshakes.pushedOut(raw)) return;
    // After `close` the address is gone from the socket, but not from the connection below.
    const { remoteAddress, remotePort } = socket.remoteAddress === undefined ? (raw ?? socket) : socket;
    const reason = error.code ?? error.message;
    log.warn(
      { listener, peer: `${remoteAddress}:${remotePort}`, reason },
      'refused: the TLS handshake failed',
    );
  });
}

export function logDrops(server: Server, listener: string, log: Log): void {
  server.on('drop', (data) => {
    const peer = `${data?.remoteAddress}:${data?.remotePort}`;
    log.warn({ listener, peer, mostConnections }, 'refused: too many connections');
  });
}
