/** The open connections of one listener, who is behind each, and what they may at this moment. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Identity } from '../api/api.ts';
import { localPeer, type Peer, peerOf } from '../tls/peer.ts';
import type { PolicySource } from './policy-file.ts';

/** How long a connection without an identity may stay: health checks need no more. */
const strangerMs = 60_000;
/** So many of them may be open at once, on one listener. */
const mostStrangers = 256;
/** Until a cut stream's status has left. */
const farewellMs = 500;

export type Cut = (error: HoldfastError) => void;

export interface Connection {
  /** `address:port` of the other side. */
  readonly key: string;
  /** What this peer may now, or why it may nothing. */
  readonly verdict: Identity | HoldfastError;
  /** Registers a stream, to be cut should its peer's rights change; the answer unregisters it. */
  watch(cut: Cut): () => void;
}

export interface Deps {
  readonly policy: PolicySource;
  readonly clock: Clock;
  readonly log: Log;
}

class OpenConnection implements Connection {
  readonly key: string;
  readonly peer: Peer | HoldfastError;
  readonly socket: Socket;
  readonly cuts = new Set<Cut>();
  verdict: Identity | HoldfastError;

  constructor(socket: Socket, verdictOf: (peer: Peer | HoldfastError) => Identity | HoldfastError) {
    this.socket = socket;
    this.key = keyOf(socket);
    this.peer = socket instanceof TLSSocket ? peerOf(socket) : localPeer;
    this.verdict = verdictOf(this.peer);
  }

  watch(cut: Cut): () => void {
    this.cuts.add(cut);
    return () => this.cuts.delete(cut);
  }

  cut(error: HoldfastError): void {
    for (const cut of [...this.cuts]) cut(error);
  }
}

export function keyOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

export class Connections {
  readonly #open = new Map<string, OpenConnection>();
  readonly #whenEmpty: (() => void)[] = [];
  readonly #deps: Deps;
  readonly #listener: string;
  #strangers = 0;

  constructor(listener: string, deps: Deps) {
    this.#listener = listener;
    this.#deps = deps;
    deps.policy.onChange(() => this.#judgeAgain());
  }

  get count(): number {
    return this.#open.size;
  }

  of(key: string): Connection | undefined {
    return this.#open.get(key);
  }

  /** To be called when the handshake is done. */
  open(socket: Socket): void {
    if (socket.destroyed) return;
    const connection = new OpenConnection(socket, (peer) => this.#verdictOf(peer));
    this.#open.set(connection.key, connection);
    const { verdict } = connection;
    let cancel = (): void => {};
    if (verdict instanceof HoldfastError) {
      this.#logRefusal(connection, verdict);
      cancel = this.#welcomeStranger(socket);
    }
    socket.once('close', () => {
      cancel();
      // The other side may have used its port anew before this was told.
      if (this.#open.get(connection.key) === connection) this.#open.delete(connection.key);
      if (this.#open.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
    });
  }

  /** Resolves when no connection is open. */
  empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Every stream, not the connections. */
  cutAll(error: HoldfastError): void {
    for (const connection of this.#open.values()) connection.cut(error);
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }

  #welcomeStranger(socket: Socket): () => void {
    if (this.#strangers >= mostStrangers) socket.destroy();
    this.#strangers++;
    const cancel = this.#deps.clock.after(strangerMs, () => socket.destroy());
    return () => {
      this.#strangers--;
      cancel();
    };
  }

  #verdictOf(peer: Peer | HoldfastError): Identity | HoldfastError {
    return peer instanceof HoldfastError ? peer : this.#deps.policy.current.judge(peer);
  }

  #judgeAgain(): void {
    for (const connection of this.#open.values()) {
      const before = connection.verdict;
      const verdict = this.#verdictOf(connection.peer);
      connection.verdict = verdict;
      if (verdict instanceof HoldfastError) {
        if (before instanceof HoldfastError) continue;
        this.#logRefusal(connection, verdict);
        connection.cut(verdict);
        this.#deps.clock.after(farewellMs, () => connection.socket.destroy());
      } else if (JSON.stringify(before) !== JSON.stringify(verdict)) {
        connection.cut(rightsChanged(verdict));
      }
    }
  }

  #logRefusal({ key, peer }: OpenConnection, { code, reason, message }: HoldfastError): void {
    const identity = peer instanceof HoldfastError ? undefined : peer.name;
    this.#deps.log.warn(
      { listener: this.#listener, peer: key, identity, code, reason },
      `refused: ${message}`,
    );
  }
}

function rightsChanged({ name }: Identity): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'DRAINING', `The policy changed for '${name}'.`, {
    help: 'Open the stream again; the new policy says what it may do.',
  });
}
