/** A network between a worker and its server, which a test can cut or freeze. */
import { connect as connectSocket, createServer, type Socket } from 'node:net';

export interface Way extends AsyncDisposable {
  readonly port: number;
  /** Resets all connections and lets no new one through, so that both ends notice it at once. */
  cut(): void;
  /**
   * Lets no byte through any more, or none of the connections that are open now. Both ends keep their connections and
   * notice nothing at first.
   */
  freeze(only?: 'open'): void;
  /** Lets connections and bytes through again. */
  heal(): void;
}

/** Opens a port of this process from which all bytes go to `targetPort` and back. */
export async function openWay(targetPort: number): Promise<Way> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let isFrozen = false;
  const add = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  };
  const server = createServer((socket) => {
    add(socket);
    if (isCut) {
      socket.resetAndDestroy();
      return;
    }
    const upstream = connectSocket(targetPort, '127.0.0.1');
    add(upstream);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.destroy());
    const pass = (from: Socket, to: Socket): void => void from.on('data', (bytes) => to.write(bytes));
    pass(socket, upstream);
    pass(upstream, socket);
    if (isFrozen) for (const one of [socket, upstream]) one.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    freeze(only) {
      isFrozen = only !== 'open';
      for (const socket of sockets) socket.pause();
    },
    heal() {
      isCut = false;
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
