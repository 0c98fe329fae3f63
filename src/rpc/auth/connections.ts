/** The open connections of one listener, with the identity of each peer and its current permissions. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HoldfastError } from '../../core/errors.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { localPeer, type Peer, peerOf } from '../../tls/peer.ts';
import type { Identity } from '../api/api.ts';
import { ConnectionCounts, type ConnectionLimits } from './connection-counts.ts';
import { FloodingClients } from './flooding-clients.ts';
import { OldestFirst } from './oldest-first.ts';
import type { PolicySource } from './policy-file.ts';

/** The minimum time in ms between two log lines about connections beyond the limits of their identities. */
const logIntervalMs = 1_000;
/**
 * Delay in ms until the server closes the connection of a peer that lost its permissions. In this time the peer's
 * streams send their status.
 */
const cutGraceMs = 500;

/** The time in ms between two checks of the connections for floods. */
const floodCheckMs = 250;
/**
 * How many bytes a connection may send between two checks that belong to no call. Clients that keep to the protocol send
 * some kilobytes: their settings, pings and windows. A connection that sends more is closed.
 */
const mostIdleBytes = 1_048_576;

/** A function that ends a stream with an error. */
export type StreamCutter = (error: HoldfastError) => void;

export interface Connection {
  /** The remote `address:port`, for log lines only: two connections to two addresses of this machine may share it. */
  readonly address: string;
  /** The remote address without the port. */
  readonly host: string;
  /** The peer's identity with its current permissions, or the error with which its calls are refused. */
  readonly authorization: Identity | HoldfastError;
  /** True if the connection is one of a load balancer, which also carries calls of other clients. */
  readonly isShared: boolean;
  /** Counts bytes of the connection that belong to calls: headers and messages. */
  received(bytes: number): void;
  /** Records that the connection is closed because its client broke the protocol, for example by resetting too many streams. */
  brokeProtocol(): void;
  /**
   * Logs that a call of this peer was refused, once per connection. A peer that makes only health calls is never
   * refused, therefore its missing identity is not logged.
   */
  logRefusal(error: HoldfastError): void;
  /**
   * Registers the function that cuts a stream when the permissions of the connection's peer change. Returns a function
   * that unregisters it.
   */
  watch(cut: StreamCutter): () => void;
}

export interface ConnectionsDeps {
  readonly policy: PolicySource;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: those of `src/core/limits.ts`. */
  readonly most?: ConnectionLimits | undefined;
  /**
   * The error for calls that name no client, if the connections are those of a load balancer: each carries the calls of
   * many clients, so that it has no identity of its own and is counted by its address.
   */
  readonly shared?: HoldfastError | undefined;
}

/**
 * The property of a socket that holds its Connection. A WeakMap with sockets as keys would not work: Node's HTTP/2
 * exposes a socket only through a proxy, which forwards properties but is a different key.
 */
const connectionKey = Symbol('connection');

interface SocketWithConnection {
  [connectionKey]?: Connection;
}

/**
 * Returns the Connection that was opened for a socket, or undefined. The socket may also be the proxy that Node's
 * HTTP/2 puts around a socket.
 */
export function connectionOf(socket: object | undefined): Connection | undefined {
  return (socket as SocketWithConnection | undefined)?.[connectionKey];
}

class OpenConnection implements Connection {
  readonly address: string;
  readonly host: string;
  readonly peer: Peer | HoldfastError;
  readonly isShared: boolean;
  readonly socket: Socket;
  readonly cuts = new Set<StreamCutter>();
  readonly #log: (connection: OpenConnection, error: HoldfastError) => void;
  readonly #floods: FloodingClients;
  #isRefusalLogged = false;
  authorization: Identity | HoldfastError;
  /** True if the connection is beyond the limits of its identity. Its authorization is then the error for its calls. */
  isSurplus = false;
  #callBytes = 0;
  /** The bytes that the network had delivered, and those of calls, when the connection was last checked. */
  #checked = { all: 0, ofCalls: 0 };

  constructor(
    socket: Socket,
    shared: HoldfastError | undefined,
    authorize: (peer: Peer | HoldfastError) => Identity | HoldfastError,
    log: (connection: OpenConnection, error: HoldfastError) => void,
    floods: FloodingClients,
  ) {
    this.#floods = floods;
    this.socket = socket;
    this.host = String(socket.remoteAddress);
    this.address = `${this.host}:${socket.remotePort}`;
    this.isShared = shared !== undefined;
    this.peer = shared ?? (socket instanceof TLSSocket ? peerOf(socket) : localPeer);
    this.authorization = authorize(this.peer);
    this.#log = log;
  }

  logRefusal(error: HoldfastError): void {
    if (this.#isRefusalLogged) return;
    this.#isRefusalLogged = true;
    this.#log(this, error);
  }

  /** The client as the floods are counted: an identity, or the strangers of an address. */
  get client(): string {
    const { authorization, host } = this;
    return authorization instanceof HoldfastError ? `address ${host}` : `identity ${authorization.name}`;
  }

  received(bytes: number): void {
    this.#callBytes += bytes;
  }

  brokeProtocol(): void {
    // The connections of a load balancer carry the calls of many clients.
    if (!this.isShared) this.#floods.closed(this.client);
  }

  /** Returns the bytes that arrived since the last check, without those of calls. */
  takeIdleBytes(): number {
    const all = this.socket.bytesRead;
    const { all: allBefore, ofCalls: callsBefore } = this.#checked;
    this.#checked = { all, ofCalls: this.#callBytes };
    return all - allBefore - (this.#callBytes - callsBefore);
  }

  refuseAll(error: HoldfastError): void {
    this.authorization = error;
    this.isSurplus = true;
    this.#isRefusalLogged = true;
  }

  watch(cut: StreamCutter): () => void {
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
  readonly #deps: ConnectionsDeps;
  readonly #listener: string;
  readonly #counts: ConnectionCounts;
  readonly #strangers: OldestFirst;
  readonly #surplus: OldestFirst;
  readonly #floods: FloodingClients;
  #surplusLoggedAtMs = Number.NEGATIVE_INFINITY;
  #surplusUnlogged = 0;
  #isWatching = false;

  constructor(listener: string, deps: ConnectionsDeps) {
    this.#listener = listener;
    this.#deps = deps;
    this.#floods = new FloodingClients(deps.clock);
    const most = deps.most ?? limits;
    this.#counts = new ConnectionCounts(most);
    const destroy = (oldest: Socket): void => void oldest.destroy();
    this.#strangers = new OldestFirst({ all: most.strangers, perAddress: most.strangersPerAddress }, destroy);
    const { surplusConnections } = most;
    this.#surplus = new OldestFirst({ all: surplusConnections, perAddress: surplusConnections }, destroy);
    deps.policy.onChange(() => this.#reauthorizeAll());
  }

  get count(): number {
    return this.#open.size;
  }

  /**
   * Registers a socket as an open connection. Must be called after the TLS handshake. Returns undefined if the socket is
   * closed, or was closed now because its client sends floods on one connection after the other.
   */
  open(socket: Socket): Connection | undefined {
    if (socket.destroyed) return undefined;
    const connection = new OpenConnection(
      socket,
      this.#deps.shared,
      (peer) => this.#authorize(peer),
      (refused, error) => this.#logRefusal(refused, error),
      this.#floods,
    );
    if (!connection.isShared && this.#floods.refuses(connection.client)) {
      socket.destroy();
      this.#logSurplus(connection, flooding(connection.client));
      return undefined;
    }
    (socket as SocketWithConnection)[connectionKey] = connection;
    this.#open.add(connection);
    const release = this.#limit(connection);
    this.#watchFloods();
    socket.once('close', () => {
      release();
      this.#open.delete(connection);
      if (this.#open.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
    });
    return connection;
  }

  /** Resolves when no connection is open. */
  empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Ends every stream with `error` and leaves the connections open. */
  cutAll(error: HoldfastError): void {
    for (const connection of this.#open) connection.cut(error);
  }

  destroyAll(): void {
    for (const { socket } of this.#open) socket.destroy();
  }

  /** Limits a new connection by its peer. Returns the function to call when it has closed. */
  #limit(connection: OpenConnection): () => void {
    const { authorization, socket, isShared } = connection;
    if (authorization instanceof HoldfastError && !isShared) {
      this.#strangers.add(socket);
      return this.#deps.clock.after(timing.strangerMs, () => socket.destroy());
    }
    const name = authorization instanceof HoldfastError ? connection.host : authorization.name;
    const refusal = this.#counts.take(name);
    if (refusal === undefined) return () => this.#counts.giveBack(name);
    connection.refuseAll(refusal);
    this.#surplus.add(socket);
    this.#logSurplus(connection, refusal);
    return this.#deps.clock.after(timing.surplusMs, () => socket.destroy());
  }

  /** Closes connections that send floods of frames: each frame costs time that all clients share. */
  #watchFloods(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#deps.clock.after(floodCheckMs, () => {
      this.#isWatching = false;
      for (const connection of this.#open) {
        if (connection.takeIdleBytes() <= mostIdleBytes) continue;
        connection.brokeProtocol();
        connection.socket.destroy();
      }
      if (this.#open.size > 0) this.#watchFloods();
    });
  }

  #logSurplus({ address }: OpenConnection, { message }: HoldfastError): void {
    const { clock, log } = this.#deps;
    this.#surplusUnlogged++;
    const nowMs = clock.monotonic();
    if (nowMs - this.#surplusLoggedAtMs < logIntervalMs) return;
    const fields = { listener: this.#listener, peer: address, connections: this.#surplusUnlogged };
    log.warn(fields, `a connection was refused: ${message}`);
    this.#surplusLoggedAtMs = nowMs;
    this.#surplusUnlogged = 0;
  }

  #authorize(peer: Peer | HoldfastError): Identity | HoldfastError {
    return peer instanceof HoldfastError ? peer : this.#deps.policy.current.authorize(peer);
  }

  #reauthorizeAll(): void {
    for (const connection of this.#open) {
      if (connection.isSurplus) continue;
      const before = connection.authorization;
      const current = this.#authorize(connection.peer);
      connection.authorization = current;
      if (current instanceof HoldfastError) {
        if (before instanceof HoldfastError) continue;
        connection.logRefusal(current);
        connection.cut(current);
        this.#deps.clock.after(cutGraceMs, () => connection.socket.destroy());
      } else if (JSON.stringify(before) !== JSON.stringify(current)) {
        connection.cut(rightsChanged(current));
      }
    }
  }

  #logRefusal({ address, peer }: OpenConnection, { code, reason, message }: HoldfastError): void {
    const identity = peer instanceof HoldfastError ? undefined : peer.name;
    this.#deps.log.warn(
      { listener: this.#listener, peer: address, identity, code, reason },
      `a call was refused: ${message}`,
    );
  }
}

function flooding(client: string): HoldfastError {
  const message = `Connections of the ${client} were closed as floods. It may open one a second for 10 s.`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'LIMIT_REACHED', message);
}

/** Returns the error with which the streams of an identity end whose permissions have changed. */
export function rightsChanged({ name }: Identity): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'DRAINING', `The policy changed for '${name}'.`, {
    help: 'Open the stream again; the new policy then applies to it.',
  });
}
