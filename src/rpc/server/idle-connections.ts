import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Keeps at most `most` connections of an HTTP server open. When another one comes, the connection closes that has been
 * without a request for the longest time, so that connections which do nothing keep nobody out. If each of them has a
 * request in progress, the new one closes.
 */
export function closeIdleConnections(server: Server, most: number): void {
  // The server drops what comes beyond this bound in one turn of the event loop, in which no closed socket is released.
  server.maxConnections = most * 4;
  const open = new Set<Socket>();
  /** The connections without a request in progress, the oldest first. */
  const idle = new Set<Socket>();
  const forget = (socket: Socket): void => {
    open.delete(socket);
    idle.delete(socket);
  };
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    idle.add(socket);
    socket.once('close', () => forget(socket));
    if (open.size <= most) return;
    const [oldest = socket] = idle;
    forget(oldest);
    oldest.destroy();
  });
  server.on('request', ({ socket }, response) => {
    idle.delete(socket);
    response.once('close', () => {
      if (open.has(socket)) idle.add(socket);
    });
  });
}
