/** Stands for the load balancer in front of the nodes: gives each connection to the next node that lives. */
import { type AddressInfo, connect, createServer } from 'node:net';

export interface Balancer {
  readonly address: string;
  add(port: number): void;
  /** Gets no more connections. */
  remove(port: number): void;
  close(): Promise<void>;
}

export async function startBalancer(): Promise<Balancer> {
  const ports: number[] = [];
  const sockets = new Set<{ destroy(): void }>();
  let turn = 0;
  const server = createServer({ noDelay: true }, (client) => {
    const port = ports[turn++ % ports.length];
    if (port === undefined) return void client.destroy();
    const node = connect({ host: '127.0.0.1', port, noDelay: true });
    for (const [one, other] of [
      [client, node],
      [node, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.once('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (port) => void ports.push(port),
    remove(port) {
      const at = ports.indexOf(port);
      if (at >= 0) ports.splice(at, 1);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
