/**
 * Connections of a TLS listener that have not finished their handshake. Nobody knows yet who they are, so they get
 * places of their own: whoever opens many and says nothing pushes out its own oldest ones, not the clients.
 */
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** Of a flood one line is logged in so long. */
const tellMs = 1_000;

/** The TCP connection that TLS runs over; undocumented, so it may be missing. */
export function below(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket })._parent;
}

export interface HandshakeDeps {
  readonly listener: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: `limits.handshakes`, `limits.handshakesPerAddress`. */
  readonly most?: { readonly all: number; readonly perAddress: number };
}

export class Handshakes {
  readonly #deps: HandshakeDeps;
  readonly #most: { readonly all: number; readonly perAddress: number };
  /** With their addresses, which a closed socket no longer tells. These and those of an address: oldest first. */
  readonly #going = new Map<Socket, string>();
  readonly #byAddress = new Map<string, Set<Socket>>();
  readonly #pushedOut = new WeakSet<Socket>();
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(server: Server, deps: HandshakeDeps) {
    this.#deps = deps;
    this.#most = deps.most ?? { all: limits.handshakes, perAddress: limits.handshakesPerAddress };
    server.on('connection', (socket: Socket) => this.#begin(socket));
    server.on('secureConnection', (socket: TLSSocket) => {
      const done = below(socket);
      if (done !== undefined) this.#end(done);
    });
  }

  get count(): number {
    return this.#going.size;
  }

  /** Ended here to make room, which is logged as such. */
  pushedOut(socket: Socket | undefined): boolean {
    return socket !== undefined && this.#pushedOut.has(socket);
  }

  #begin(socket: Socket): void {
    const address = String(socket.remoteAddress);
    const ofAddress = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, ofAddress.add(socket));
    this.#going.set(socket, address);
    socket.once('close', () => this.#end(socket));
    if (ofAddress.size > this.#most.perAddress) this.#pushOut(ofAddress);
    else if (this.#going.size > this.#most.all) this.#pushOut(this.#going.keys());
  }

  #pushOut([oldest]: Iterable<Socket>): void {
    if (oldest === undefined) return;
    this.#tell(oldest);
    this.#pushedOut.add(oldest);
    this.#end(oldest);
    oldest.destroy();
  }

  #end(socket: Socket): void {
    const address = this.#going.get(socket);
    if (address === undefined) return;
    this.#going.delete(socket);
    const ofAddress = this.#byAddress.get(address);
    ofAddress?.delete(socket);
    if (ofAddress?.size === 0) this.#byAddress.delete(address);
  }

  #tell({ remoteAddress, remotePort }: Socket): void {
    const { clock, log, listener } = this.#deps;
    this.#untold++;
    const nowMs = clock.monotonic();
    if (nowMs - this.#toldAtMs < tellMs) return;
    const peer = `${remoteAddress}:${remotePort}`;
    log.warn(
      { listener, peer, connections: this.#untold },
      'refused: too many handshakes that do not finish',
    );
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}
