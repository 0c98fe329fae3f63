/** The open connections of one listener, who is behind each, and what they may at this moment. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { localPeer, type Peer, peerOf } from '../../tls/peer.ts';
import type { Identity } from '../api/api.ts';
import type { PolicySource } from './policy-file.ts';

/** How long a connection without an identity may stay: health checks need no more. */
const strangerMs = 60_000;
/** So many of them may be open at once, on one listener. */
const mostStrangers = 256;
/** Until a cut stream's status has left. */
const farewellMs = 500;

export type Cut = (error: HoldfastError) => void;

export interface Connection {
  /** `address:port` of the other side, for people: two connections to two addresses of this machine may share it. */
  readonly address: string;
  /** What this peer may now, or why it may nothing. */
  readonly verdict: Identity | HoldfastError;
  /** A call of it was refused by this verdict: logged once, since whoever only asks for health is let in silently. */
  refused(verdict: HoldfastError): void;
  /** Registers a stream, to be cut should its peer's rights change; the answer unregisters it. */
  watch(cut: Cut): () => void;
}

export interface Deps {
  readonly policy: PolicySource;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Where a socket carries its connection. HTTP/2 shows sockets behind proxies only, which pass a property through and
 * could not be keys of a WeakMap.
 */
const behind = Symbol('connection');

interface Carrier {
  [behind]?: Connection;
}

/** The connection of this very socket, also through the proxies of HTTP/2. Undefined: none that was opened. */
export function connectionOf(socket: object | undefined): Connection | undefined {
  return (socket as Carrier | undefined)?.[behind];
}

class OpenConnection implements Connection {
  readonly address: string;
  readonly peer: Peer | HoldfastError;
  readonly socket: Socket;
  readonly cuts = new Set<Cut>();
  readonly #log: (connection: OpenConnection, verdict: HoldfastError) => void;
  #isTold = false;
  verdict: Identity | HoldfastError;

  constructor(
    socket: Socket,
    verdictOf: (peer: Peer | HoldfastError) => Identity | HoldfastError,
    log: (connection: OpenConnection, verdict: HoldfastError) => void,
  ) {
    this.socket = socket;
    this.address = `${socket.remoteAddress}:${socket.remotePort}`;
    this.peer = socket instanceof TLSSocket ? peerOf(socket) : localPeer;
    this.verdict = verdictOf(this.peer);
    this.#log = log;
  }

  refused(verdict: HoldfastError): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#log(this, verdict);
  }

  watch(cut: Cut): () => void {
    this.cuts.add(cut);
    return () => this.cuts.delete(cut);
  }

  cut(error: HoldfastError): void {
    for (const cut of [...this.cuts]) cut(error);
  }
}

export class Connections {
  readonly #open = new Set<OpenConnection>();
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

  /** To be called when the handshake is done. */
  open(socket: Socket): void {
    if (socket.destroyed) return;
    const connection = new OpenConnection(
      socket,
      (peer) => this.#verdictOf(peer),
      (refused, verdict) => this.#logRefusal(refused, verdict),
    );
    (socket as Carrier)[behind] = connection;
    this.#open.add(connection);
    let cancel = (): void => {};
    if (connection.verdict instanceof HoldfastError) cancel = this.#welcomeStranger(socket);
    socket.once('close', () => {
      cancel();
      this.#open.delete(connection);
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
    for (const connection of this.#open) connection.cut(error);
  }

  destroyAll(): void {
    for (const { socket } of this.#open) socket.destroy();
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
    for (const connection of this.#open) {
      const before = connection.verdict;
      const verdict = this.#verdictOf(connection.peer);
      connection.verdict = verdict;
      if (verdict instanceof HoldfastError) {
        if (before instanceof HoldfastError) continue;
        connection.refused(verdict);
        connection.cut(verdict);
        this.#deps.clock.after(farewellMs, () => connection.socket.destroy());
      } else if (JSON.stringify(before) !== JSON.stringify(verdict)) {
        connection.cut(rightsChanged(verdict));
      }
    }
  }

  #logRefusal({ address, peer }: OpenConnection, { code, reason, message }: HoldfastError): void {
    const identity = peer instanceof HoldfastError ? undefined : peer.name;
    this.#deps.log.warn(
      { listener: this.#listener, peer: address, identity, code, reason },
      `refused: ${message}`,
    );
  }
}

function rightsChanged({ name }: Identity): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'DRAINING', `The policy changed for '${name}'.`, {
    help: 'Open the stream again; the new policy says what it may do.',
  });
}
