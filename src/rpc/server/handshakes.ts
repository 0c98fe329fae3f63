/**
 * Limits the connections of a TLS listener that have not finished their handshake. They have not authenticated yet,
 * therefore they have a limit of their own: a peer that opens many of them evicts its own oldest ones, and never an
 * authenticated connection.
 */
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/**
 * Minimum time in ms between two log lines about connections that were evicted before the end of their TLS handshake: a
 * flood of connections must not flood the log.
 */
const logIntervalMs = 1_000;

/**
 * Returns the TCP socket below a TLS socket, or undefined: Node does not document the property that holds the TCP
 * socket.
 */
export function rawSocketOf(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket })._parent;
}

export interface HandshakeDeps {
  readonly listener: string;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * The maximum number of unfinished TLS handshakes, in total and per remote address. Default: `limits.handshakes` and
   * `limits.handshakesPerAddress`.
   */
  readonly most?: { readonly all: number; readonly perAddress: number };
}

export class Handshakes {
  readonly #deps: HandshakeDeps;
  readonly #most: { readonly all: number; readonly perAddress: number };
  /**
   * The sockets with an unfinished TLS handshake, oldest first, and their remote addresses, which a closed socket no
   * longer has.
   */
  readonly #inProgress = new Map<Socket, string>();
  /** The sockets with an unfinished TLS handshake by remote address, oldest first. */
  readonly #byAddress = new Map<string, Set<Socket>>();
  readonly #evicted = new WeakSet<Socket>();
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(server: Server, deps: HandshakeDeps) {
    this.#deps = deps;
    this.#most = deps.most ?? { all: limits.handshakes, perAddress: limits.handshakesPerAddress };
    server.on('connection', (socket: Socket) => this.#begin(socket));
    server.on('secureConnection', (socket: TLSSocket) => {
      const done = rawSocketOf(socket);
      if (done !== undefined) this.#end(done);
    });
  }

  get count(): number {
    return this.#inProgress.size;
  }

  /** Returns true if the socket was closed to make room for newer handshakes, which is logged separately. */
  wasEvicted(socket: Socket | undefined): boolean {
    return socket !== undefined && this.#evicted.has(socket);
  }

  #begin(socket: Socket): void {
    const address = String(socket.remoteAddress);
    const ofAddress = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, ofAddress.add(socket));
    this.#inProgress.set(socket, address);
    socket.once('close', () => this.#end(socket));
    if (ofAddress.size > this.#most.perAddress) this.#evictOldest(ofAddress);
    else if (this.#inProgress.size > this.#most.all) this.#evictOldest(this.#inProgress.keys());
  }

  #evictOldest([oldest]: Iterable<Socket>): void {
    if (oldest === undefined) return;
    this.#logEviction(oldest);
    this.#evicted.add(oldest);
    this.#end(oldest);
    oldest.destroy();
  }

  #end(socket: Socket): void {
    const address = this.#inProgress.get(socket);
    if (address === undefined) return;
    this.#inProgress.delete(socket);
    const ofAddress = this.#byAddress.get(address);
    ofAddress?.delete(socket);
    if (ofAddress?.size === 0) this.#byAddress.delete(address);
  }

  #logEviction({ remoteAddress, remotePort }: Socket): void {
    const { clock, log, listener } = this.#deps;
    this.#unlogged++;
    const nowMs = clock.monotonic();
    if (nowMs - this.#loggedAtMs < logIntervalMs) return;
    const peer = `${remoteAddress}:${remotePort}`;
    log.warn(
      { listener, peer, connections: this.#unlogged },
      'a connection was closed: too many unfinished TLS handshakes',
    );
    this.#loggedAtMs = nowMs;
    this.#unlogged = 0;
  }
}
