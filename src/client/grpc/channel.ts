/** One connection for each process and URL, however many clients there are, also when modules are loaded anew. */
import { Client, credentials } from '@grpc/grpc-js';
import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Target, targetOf } from './address.ts';
import { Diagnosis } from './diagnose.ts';
import { errorOf, type Failure } from './errors.ts';
import {
  type ClientCertificates,
  type ClientTls,
  printOf,
  readClientTls,
  secureCredentials,
  sniOptions,
} from './tls.ts';

export interface ChannelOptions {
  /** `host:port`. */
  readonly address: string;
  readonly tls?: ClientTls | undefined;
  readonly clock: Clock;
}

const options = {
  /** Lists and histories have no limit in bytes of their own. */
  'grpc.max_receive_message_length': 33_554_432,
  'grpc.max_send_message_length': -1,
  /** Node's own 64 KB would hold assignments up on any way longer than this machine's. */
  'grpc-node.flow_control_window': 1_048_576,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  /** What may be repeated is known above. */
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_channelz': 0,
  /** A proxy named in the environment would get what is meant for this machine. */
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
};

export class GrpcChannel {
  readonly #address: string;
  readonly #clock: Clock;
  readonly #tls: ClientTls | undefined;
  readonly #target: Target;
  readonly #diagnosis: Diagnosis;
  #certificates: ClientCertificates | undefined;
  #print = '';
  #client: Client;

  /** Throws BAD_FIELD, BAD_CERTIFICATE. Dials nothing yet. */
  constructor({ address, tls, clock }: ChannelOptions) {
    this.#address = address;
    this.#clock = clock;
    this.#tls = tls;
    this.#target = targetOf(address);
    this.#diagnosis = new Diagnosis(address, this.#target, () => this.#certificates, clock);
    this.#client = this.#make();
  }

  get client(): Client {
    return this.#client;
  }

  close(): void {
    this.#client.close();
  }

  /** What a failure was about, in our words; never rejects. */
  async explain(failure: Failure): Promise<HoldfastError> {
    const error = errorOf(failure, this.#address);
    if (error !== 'connection' && error.code !== 'UNAUTHENTICATED') return error;
    try {
      if (this.#renew()) return renewed;
    } catch (thrown) {
      if (thrown instanceof HoldfastError) return thrown;
    }
    return error === 'connection' ? await this.#diagnosis.find() : error;
  }

  /** True: the certificate files have changed, and a connection with the new ones takes over. */
  #renew(): boolean {
    if (this.#tls === undefined || printOf(this.#tls) === this.#print) return false;
    const old = this.#client;
    this.#client = this.#make();
    old.close();
    return true;
  }

  #make(): Client {
    const address = this.#address;
    if (this.#tls === undefined) return new Client(address, credentials.createInsecure(), options);
    this.#print = printOf(this.#tls);
    this.#certificates = readClientTls(this.#tls, this.#clock);
    return new Client(address, secureCredentials(this.#certificates, this.#target), {
      ...options,
      ...sniOptions(this.#target),
    });
  }
}

const renewed = new HoldfastError(
  'UNAVAILABLE',
  'UNREACHABLE',
  'This client has just renewed its certificate.',
  {
    help: 'Try again.',
  },
);

interface Shared {
  readonly channel: GrpcChannel;
  uses: number;
}

const place = Symbol.for('holdfast.grpc.channels');
const holder = globalThis as { [place]?: Map<string, Shared> };

export interface Lent {
  readonly channel: GrpcChannel;
  /** The last who gives it back closes it. Idempotent. */
  giveBack(): void;
}

export function borrowChannel(asked: ChannelOptions): Lent {
  holder[place] ??= new Map();
  const channels = holder[place];
  const { address, tls } = asked;
  const key = JSON.stringify([address, tls?.ca, tls?.cert, tls?.key]);
  let shared = channels.get(key);
  if (shared === undefined) {
    shared = { channel: new GrpcChannel(asked), uses: 0 };
    channels.set(key, shared);
  }
  const held = shared;
  held.uses++;
  let given = false;
  return {
    channel: held.channel,
    giveBack() {
      if (given) return;
      given = true;
      if (--held.uses > 0) return;
      channels.delete(key);
      held.channel.close();
    },
  };
}
