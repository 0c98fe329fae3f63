/**
 * Limits open sockets in all and per remote address. Above a limit it evicts the oldest socket, of the same address if
 * that address has too many, so that a peer that opens many sockets closes its own.
 */
import type { Socket } from 'node:net';

export interface SocketLimits {
  readonly all: number;
  readonly perAddress: number;
}

export class OldestFirst {
  readonly #most: SocketLimits;
  readonly #evict: (socket: Socket) => void;
  /** The sockets, oldest first, and their remote addresses, which a closed socket no longer has. */
  readonly #open = new Map<Socket, string>();
  /** The sockets by remote address, oldest first. */
  readonly #byAddress = new Map<string, Set<Socket>>();

  constructor(most: SocketLimits, evict: (socket: Socket) => void) {
    this.#most = most;
    this.#evict = evict;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Adds a socket until it closes or is removed. */
  add(socket: Socket): void {
    const address = String(socket.remoteAddress);
    const ofAddress = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, ofAddress.add(socket));
    this.#open.set(socket, address);
    socket.once('close', () => this.remove(socket));
    if (ofAddress.size > this.#most.perAddress) this.#evictOldest(ofAddress);
    else if (this.#open.size > this.#most.all) this.#evictOldest(this.#open.keys());
  }

  remove(socket: Socket): void {
    const address = this.#open.get(socket);
    if (address === undefined) return;
    this.#open.delete(socket);
    const ofAddress = this.#byAddress.get(address);
    ofAddress?.delete(socket);
    if (ofAddress?.size === 0) this.#byAddress.delete(address);
  }

  #evictOldest([oldest]: Iterable<Socket>): void {
    if (oldest === undefined) return;
    this.remove(oldest);
    this.#evict(oldest);
  }
}
