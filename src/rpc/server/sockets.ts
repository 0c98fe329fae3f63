/** Opens ports, explains why a port cannot be opened, and logs connections that were refused. */
import type { Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { Handshakes, rawSocketOf } from './handshakes.ts';

/**
 * The maximum number of sockets of one listener. It is above the limit of connections, so that a peer which uses up its
 * connections gets an answer, and strangers and unfinished handshakes keep the room that their own limits give them.
 */
const mostSockets = limits.connections + limits.strangers + limits.handshakes;

/** Opens a TCP port and returns its number. Throws FAILED_PRECONDITION with PORT_IN_USE or BAD_CONFIGURATION. */
export function openPort(server: Server, host: string, port: number): Promise<number> {
  server.maxConnections = mostSockets;
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
      help: `Choose another port, or stop the program that listens on it (\`lsof -i :${port}\` names it). Is a holdfast already running?`,
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
 * Limits the unfinished handshakes of a TLS listener, and logs each failed handshake with its peer and reason, because
 * the client often receives no reason.
 */
export function watchHandshakes(server: Server, listener: string, clock: Clock, log: Log): void {
  const handshakes = new Handshakes(server, { listener, clock, log });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const raw = rawSocketOf(socket);
    if (handshakes.wasEvicted(raw)) return;
    // A closed TLS socket has lost its remote address, but the TCP socket below the TLS socket still has the address.
    const { remoteAddress, remotePort } = socket.remoteAddress === undefined ? (raw ?? socket) : socket;
    const reason = error.code ?? error.message;
    // Node leaves the connection open if the handshake did not end in time.
    raw?.destroy();
    socket.destroy();
    log.warn(
      { listener, peer: `${remoteAddress}:${remotePort}`, reason },
      'a connection was refused: the TLS handshake failed',
    );
  });
}

export function logDrops(server: Server, listener: string, log: Log): void {
  server.on('drop', (data) => {
    const peer = `${data?.remoteAddress}:${data?.remotePort}`;
    log.warn({ listener, peer, mostSockets }, 'a connection was refused: too many connections');
  });
}
