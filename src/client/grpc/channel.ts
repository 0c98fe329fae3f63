/**
 * gRPC channels, shared by all clients of a process with the same address and certificates, even if this module is
 * loaded twice.
 */

import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { type HostPort, parseAddress } from './address.ts';
import { Connecting } from './connecting.ts';
import { Diagnosis } from './diagnose.ts';
import { errorOf, type GrpcFailure } from './errors.ts';
import { type ChannelCredentials, Client, credentials } from './library/grpc-js.ts';
import {
  type ClientCertificates,
  type ClientTls,
  fingerprintOf,
  readClientTls,
  secureCredentials,
  sniOptions,
} from './tls.ts';

export interface ChannelOptions {
  /** The address of the server as `host:port`. */
  readonly address: string;
  readonly tls?: ClientTls | undefined;
  readonly clock: Clock;
}

const grpcOptions = {
  /** Received messages may have 32 MiB, because lists and histories have no byte limit of their own. */
  'grpc.max_receive_message_length': 33_554_432,
  'grpc.max_send_message_length': -1,
  /**
   * The flow control window is 1 MiB: Node's default of 64 KB would delay assignments on any connection with a
   * noticeable round trip.
   */
  'grpc-node.flow_control_window': 1_048_576,
  /**
   * While no connection can be made, grpc-js itself tries again after these times, and fails all calls in between. Short
   * waits let a worker be back within a second after its server has restarted.
   */
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  /** A server may have another address after its restart; by default grpc-js looks it up every 30 s at most. */
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  /** gRPC must not retry: only the client knows which calls are safe to repeat. */
  'grpc.enable_retries': 0,
  /**
   * Without a buffer for retries grpc-js reports a message as sent once its bytes were handed to the socket, and not
   * before: a worker calls a handler only after that.
   */
  'grpc.per_rpc_retry_buffer_size': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_channelz': 0,
  /** Proxies from the environment are ignored: they would receive the traffic for servers on this machine. */
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
};

/** A gRPC connection to one server, which is renewed when its certificate files change. */
export class GrpcChannel {
  readonly #address: string;
  readonly #clock: Clock;
  readonly #tls: ClientTls | undefined;
  readonly #target: HostPort;
  readonly #diagnosis: Diagnosis;
  #certificates: ClientCertificates | undefined;
  #print = '';
  #connecting!: Connecting;
  #client: Client;

  /**
   * Reads the certificates but does not connect yet. @throws HoldfastError with reason BAD_FIELD or BAD_CERTIFICATE.
   */
  constructor({ address, tls, clock }: ChannelOptions) {
    this.#address = address;
    this.#clock = clock;
    this.#tls = tls;
    this.#target = parseAddress(address);
    this.#diagnosis = new Diagnosis(address, this.#target, () => this.#certificates, clock);
    this.#client = this.#make();
  }

  get client(): Client {
    return this.#client;
  }

  close(): void {
    this.#client.close();
    this.#connecting.close();
  }

  /** Converts a gRPC failure to a HoldfastError that names the cause. The promise never rejects. */
  async explain(failure: GrpcFailure): Promise<HoldfastError> {
    const error = errorOf(failure, this.#address);
    if (error !== 'connection' && error.code !== 'UNAUTHENTICATED') return error;
    try {
      if (this.#renew()) return renewed;
    } catch (thrown) {
      if (thrown instanceof HoldfastError) return notRenewed(thrown);
    }
    return error === 'connection' ? await this.#diagnosis.find() : error;
  }

  /**
   * Replaces the connection if the certificate files have changed. Returns true if the connection was replaced.
   * @throws HoldfastError with reason BAD_CERTIFICATE if the changed files cannot be used; the connection then stays, and
   * the same files are not read a second time.
   */
  #renew(): boolean {
    if (this.#tls === undefined || fingerprintOf(this.#tls) === this.#print) return false;
    const old = { client: this.#client, connecting: this.#connecting };
    this.#client = this.#make();
    old.client.close();
    old.connecting.close();
    return true;
  }

  #make(): Client {
    const secured = this.#credentials();
    const connecting = new Connecting(this.#clock);
    this.#connecting = connecting;
    return new Client(connecting.targetOf(this.#address), connecting.record(secured), {
      ...grpcOptions,
      ...(this.#tls === undefined ? {} : sniOptions(this.#target)),
      ...connecting.options,
    });
  }

  /** Reads the certificates, if the connection is to be made with TLS. */
  #credentials(): ChannelCredentials {
    if (this.#tls === undefined) return credentials.createInsecure();
    this.#print = fingerprintOf(this.#tls);
    this.#certificates = readClientTls(this.#tls, this.#clock);
    return secureCredentials(this.#certificates, this.#target);
  }
}

const renewed = new HoldfastError(
  'UNAVAILABLE',
  'UNREACHABLE',
  'The client has just loaded a new certificate from its files.',
  {
    help: 'Repeat the call; it will use the new certificate.',
  },
);

/**
 * Returns the error of a call that found changed certificate files which cannot be used. It may be repeated, because files
 * that belong together are seldom replaced at once: the next call may find the second one replaced too.
 */
function notRenewed(cause: HoldfastError): HoldfastError {
  const message = `The certificate files have changed, and the client keeps the certificate that it has: ${cause.message}`;
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', message, { cause, help: cause.help });
}

interface SharedChannel {
  readonly channel: GrpcChannel;
  uses: number;
}

const channelsKey = Symbol.for('holdfast.grpc.channels');
const globals = globalThis as { [channelsKey]?: Map<string, SharedChannel> };

/** One use of a gRPC channel that several clients of this process share. */
export interface BorrowedChannel {
  readonly channel: GrpcChannel;
  /**
   * Ends this use of the channel. The channel is closed when its last user has released it. Calling `release` again has
   * no effect.
   */
  release(): void;
}

/**
 * Returns the process-wide gRPC channel for an address and its certificates, and opens the channel if none exists yet.
 */
export function borrowChannel(options: ChannelOptions): BorrowedChannel {
  globals[channelsKey] ??= new Map();
  const channels = globals[channelsKey];
  const { address, tls } = options;
  const key = JSON.stringify([address, tls?.ca, tls?.cert, tls?.key]);
  let shared = channels.get(key);
  if (shared === undefined) {
    shared = { channel: new GrpcChannel(options), uses: 0 };
    channels.set(key, shared);
  }
  const { channel } = shared;
  const entry = shared;
  entry.uses++;
  let released = false;
  return {
    channel,
    release() {
      if (released) return;
      released = true;
      if (--entry.uses > 0) return;
      channels.delete(key);
      channel.close();
    },
  };
}
