import { connect, createServer, type Socket } from 'node:net';

/** One address for several servers of this machine: each connection goes to the next that takes it. */
export interface Balancer {
  /** `127.0.0.1:port` */
  readonly address: string;
  close(): Promise<void>;
}

const connectMs = 1_000;

export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let next = 0;

  function pass(client: Socket, tries: number): void {
    const port = ports[next++ % ports.length] as number;
    const server = connect({ port, host: '127.0.0.1', timeout: connectMs });
    let isConnected = false;
    server.once('connect', () => {
      isConnected = true;
      server.setTimeout(0);
      client.pipe(server).pipe(client);
    });
    server.on('timeout', () => server.destroy(new Error('no answer')));
    server.on('error', () => {});
    server.once('close', () => {
      open.delete(server);
      if (isConnected || client.destroyed || tries <= 1) client.destroy();
      else pass(client, tries - 1);
    });
    client.once('close', () => server.destroy());
    open.add(server);
  }

  const listener = createServer({ noDelay: true }, (client) => {
    open.add(client);
    client.on('error', () => {});
    client.once('close', () => open.delete(client));
    pass(client, ports.length);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
