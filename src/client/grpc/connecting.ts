/**
 * The connections of a channel that are being made. grpc-js can neither bound the time for this nor end it: after the
 * close of its channel it still waits for a server that does not answer, and its socket keeps the process alive. Such a
 * socket can be reached in two places only. Before it is connected, by the abort signal in the address that grpc-js gives
 * to `net.connect`, and thus from the resolver of addresses. Afterwards, by the connector of the channel's credentials.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import { type ChannelCredentials, type ChannelOptions, experimental } from './library/grpc-js.ts';

/**
 * The longest TLS handshake, in ms. A host that is lost in the middle of a handshake never answers, and nothing is sent to
 * it that could fail: without this bound all calls would wait for that connection for ever.
 */
export const handshakeMs = 20_000;
const scheme = 'holdfast';
const connectingKey = 'holdfast.connecting';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The address of a server for `net.connect`, with a signal that ends the attempt to connect to it. */
interface DialledAddress extends Address {
  readonly signal: AbortSignal;
}

/** Ends the attempts of one channel to connect, when the channel is closed. */
export class Connecting {
  readonly #clock: Clock;
  /** Ends the newest attempt to open a TCP connection, by address. */
  readonly #attempts = new Map<string, AbortController>();
  /** The addresses to which an attempt began in this turn of the event loop. */
  readonly #begunNow = new Set<string>();
  readonly #handshakes = new Set<Socket>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the target of a channel whose connections are recorded here, given `options`. */
  targetOf(address: string): string {
    registerResolver();
    return `${scheme}:${address}`;
  }

  /** The options with which a channel records its connections here. */
  get options(): ChannelOptions {
    return { [connectingKey]: this };
  }

  /** Makes these credentials record the connections that are made with them. */
  record(credentials: ChannelCredentials): ChannelCredentials {
    const create = credentials._createSecureConnector.bind(credentials);
    credentials._createSecureConnector = (...args) => {
      const connector = create(...args);
      return {
        connect: (socket) => this.#secure(socket, connector),
        waitForReady: () => connector.waitForReady(),
        getCallCredentials: () => connector.getCallCredentials(),
        destroy: () => connector.destroy(),
      };
    };
    return credentials;
  }

  /** Returns the address with a signal of its own for each connection that is made to it. */
  dialled(address: Address): DialledAddress {
    const signal = (): AbortSignal => this.#attempt(keyOf(address.host, address.port));
    return {
      ...address,
      get signal() {
        return signal();
      },
    };
  }

  /** Ends all attempts to connect. Connections that are made already stay as they are. */
  close(): void {
    this.#isClosed = true;
    for (const attempt of this.#attempts.values()) attempt.abort();
    for (const socket of this.#handshakes) socket.destroy();
  }

  /** Returns the signal of the attempt that begins now. `net.connect` reads it more than once, in one turn. */
  #attempt(key: string): AbortSignal {
    const begun = this.#attempts.get(key);
    if (begun !== undefined && this.#begunNow.has(key)) return begun.signal;
    const attempt = new AbortController();
    // The socket of an attempt that begins with an aborted signal would connect all the same.
    if (this.#isClosed) this.#clock.soon(() => attempt.abort());
    this.#attempts.set(key, attempt);
    this.#begunNow.add(key);
    queueMicrotask(() => this.#begunNow.delete(key));
    return attempt.signal;
  }

  async #secure(
    socket: Socket,
    connector: experimental.SecureConnector,
  ): Promise<experimental.SecureConnectResult> {
    this.#attempts.delete(keyOf(socket.remoteAddress, socket.remotePort));
    const { promise: closed, reject } = Promise.withResolvers<never>();
    closed.catch(() => {});
    const onClose = (): void => reject(new Error('The connection was closed during the TLS handshake'));
    socket.once('close', onClose);
    this.#handshakes.add(socket);
    const cancel = this.#clock.after(handshakeMs, () => socket.destroy());
    if (this.#isClosed) socket.destroy();
    try {
      return await Promise.race([connector.connect(socket), closed]);
    } finally {
      cancel();
      socket.removeListener('close', onClose);
      this.#handshakes.delete(socket);
    }
  }
}

function keyOf(host: string | undefined, port: number | undefined): string {
  return `${host}/${port}`;
}

let isRegistered = false;

/** Registers the resolver of the scheme of this file, which resolves names as gRPC's own scheme `dns` does. */
function registerResolver(): void {
  if (isRegistered) return;
  isRegistered = true;
  experimental.registerResolver(scheme, ConnectingResolver);
}

class ConnectingResolver implements experimental.Resolver {
  readonly #resolver: experimental.Resolver;

  constructor(
    { path }: experimental.GrpcUri,
    listener: experimental.ResolverListener,
    options: ChannelOptions,
  ) {
    const connecting = options[connectingKey] as Connecting;
    const dialled: experimental.ResolverListener = (endpoints, ...more) => {
      const found = endpoints.ok ? { ...endpoints, value: endpoints.value.map(dial) } : endpoints;
      return listener(found, ...more);
    };
    const dial = ({ addresses }: experimental.Endpoint): experimental.Endpoint => ({
      addresses: addresses.map((address) => ('port' in address ? connecting.dialled(address) : address)),
    });
    this.#resolver = experimental.createResolver({ scheme: 'dns', path }, dialled, options);
  }

  static getDefaultAuthority({ path }: experimental.GrpcUri): string {
    return path;
  }

  updateResolution(): void {
    this.#resolver.updateResolution();
  }

  destroy(): void {
    this.#resolver.destroy();
  }
}
