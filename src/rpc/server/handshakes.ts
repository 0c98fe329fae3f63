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
import { OldestFirst, type SocketLimits } from '../auth/oldest-first.ts';

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
  readonly most?: SocketLimits;
}

export class Handshakes {
  readonly #deps: HandshakeDeps;
  readonly #inProgress: OldestFirst;
  readonly #evicted = new WeakSet<Socket>();
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(server: Server, deps: HandshakeDeps) {
    this.#deps = deps;
    const most = deps.most ?? { all: limits.handshakes, perAddress: limits.handshakesPerAddress };
    this.#inProgress = new OldestFirst(most, (oldest) => this.#evict(oldest));
    server.on('connection', (socket: Socket) => this.#inProgress.add(socket));
    server.on('secureConnection', (socket: TLSSocket) => {
      const done = rawSocketOf(socket);
      if (done !== undefined) this.#inProgress.remove(done);
    });
  }

  get count(): number {
    return this.#inProgress.count;
  }

  /** Returns true if the socket was closed to make room for newer handshakes, which is logged separately. */
  wasEvicted(socket: Socket | undefined): boolean {
    return socket !== undefined && this.#evicted.has(socket);
  }

  #evict(oldest: Socket): void {
    this.#logEviction(oldest);
    this.#evicted.add(oldest);
    oldest.destroy();
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
