/**
 * A TCP proxy between one client and the servers, which a run can cut, slow down, or let lose answers. Each connection goes
 * to the next server that accepts it, as with a load balancer.
 */
import { connect, createServer, type Socket } from 'node:net';

const connectMs = 1_000;

/** One connection of a client, and the connection to the server behind it. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class Link {
  readonly #ports: readonly number[];
  readonly #listener;
  readonly #pairs = new Set<Pair>();
  readonly #sockets = new Set<Socket>();
  #next: number;
  #isCut = false;
  #swallows = false;
  #delayMs = 0;
  /** The bytes from servers that were swallowed. */
  swallowedBytes = 0;

  private constructor(ports: readonly number[], first: number) {
    this.#ports = ports;
    this.#next = first;
    this.#listener = createServer({ noDelay: true }, (client) => this.#accept(client));
  }

  /** Opens a link on a free port of 127.0.0.1. Its first connection goes to the server with the number `first`. */
  static async open(ports: readonly number[], first: number): Promise<Link> {
    const link = new Link(ports, first);
    await new Promise<void>((resolve) => link.#listener.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get address(): string {
    const address = this.#listener.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  #add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
  }

  #accept(client: Socket): void {
    this.#add(client);
    if (this.#isCut) client.resetAndDestroy();
    else this.#forward(client, this.#ports.length);
  }

  #forward(client: Socket, triesLeft: number): void {
    const port = this.#ports[this.#next++ % this.#ports.length] as number;
    const server = connect({ port, host: '127.0.0.1', timeout: connectMs, noDelay: true });
    this.#add(server);
    const pair = { client, server };
    let isConnected = false;
    server.once('connect', () => {
      isConnected = true;
      server.setTimeout(0);
      this.#pairs.add(pair);
      client.on('data', (bytes) => this.#pass(bytes, server));
      server.on('data', (bytes) => {
        if (this.#swallows) this.swallowedBytes += bytes.length;
        else this.#pass(bytes, client);
      });
    });
    server.on('timeout', () => server.destroy());
    server.once('close', () => {
      this.#pairs.delete(pair);
      if (isConnected || client.destroyed || triesLeft <= 1) client.destroy();
      else this.#forward(client, triesLeft - 1);
    });
    client.once('close', () => server.destroy());
  }

  /** Timers of one length fire in the order in which they were set, so the bytes of a connection keep their order. */
  #pass(bytes: Buffer | string, to: Socket): void {
    if (this.#delayMs === 0) to.write(bytes);
    else setTimeout(() => to.write(bytes), this.#delayMs);
  }

  #resetAll(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Resets all connections and lets no new one through until `heal`. */
  cut(): void {
    this.#isCut = true;
    this.#resetAll();
  }

  /** Resets all connections and lets new ones through. */
  reset(): void {
    this.#resetAll();
  }

  /** Delays all bytes of connections, in both directions, until `heal`. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Loses all bytes from servers from now on, until `heal`: requests arrive and are committed, their answers are lost. */
  swallow(): void {
    this.#swallows = true;
  }

  /** Ends a cut and a delay. Connections that lost bytes are reset. */
  heal(): void {
    this.#isCut = false;
    if (this.#swallows || this.#delayMs > 0) this.#resetAll();
    this.#swallows = false;
    this.#delayMs = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
