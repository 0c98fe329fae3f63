import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CallOptions } from '../transport.ts';
import type { GrpcChannel } from './channel.ts';
import { abandoned } from './errors.ts';
import { Metadata, status } from './library/grpc-js.ts';

/** The path of a gRPC method, and the codec of its messages. */
export interface Wire<I, O> {
  readonly path: string;
  encode(input: I): Uint8Array;
  decode(bytes: Uint8Array): O;
}

/** The bytes by which a message may exceed the size limit and still be accepted by the server. */
const slackBytes = 65_536;
/** The failure of a call at its deadline, as grpc-js has it. */
export const deadlineExceeded = Object.freeze({
  code: status.DEADLINE_EXCEEDED,
  details: 'Deadline exceeded',
  metadata: new Metadata(),
});
/** The codec for messages that are already encoded. */
export const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Encodes a message.
 * @throws HoldfastError RESOURCE_EXHAUSTED, reason TOO_LARGE, if the server would refuse the message for its size.
 */
export function encoded<I>(wire: Pick<Wire<I, unknown>, 'encode'>, input: I): Buffer {
  const bytes = wire.encode(input);
  if (bytes.length > limits.wireMessageBytes + slackBytes) throw tooLarge(bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Returns the gRPC metadata of a call. */
export function headers({ traceparent }: CallOptions): Metadata {
  const metadata = new Metadata();
  if (traceparent !== undefined && traceparent !== '') metadata.set('traceparent', traceparent);
  return metadata;
}

/**
 * Returns the gRPC deadline of a call; no deadline if the call has no timeout. grpc-js compares it with the machine's own
 * clock, and sends the length that is left.
 */
export function deadlineOf({ timeoutMs }: CallOptions, clock: Clock): { deadline?: number } {
  return timeoutMs === undefined ? {} : { deadline: clock.machineNow() + timeoutMs };
}

/** Makes a unary call. */
export function unary<I, O>(
  channel: GrpcChannel,
  clock: Clock,
  wire: Wire<I, O>,
  input: I,
  options: CallOptions,
): Promise<O> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted === true) return reject(abandoned());
    const bytes = encoded(wire, input);
    const call = channel.client.makeUnaryRequest(
      wire.path,
      asIs,
      asIs,
      bytes,
      headers(options),
      deadlineOf(options, clock),
      (failure, answer) => {
        signal?.removeEventListener('abort', cancel);
        if (failure !== null) {
          void channel.explain(failure).then(reject);
          return;
        }
        try {
          resolve(wire.decode(answer as Buffer));
        } catch (thrown) {
          reject(unreadable(thrown));
        }
      },
    );
    const cancel = (): void => call.cancel();
    signal?.addEventListener('abort', cancel);
  });
}

function tooLarge(bytes: number): HoldfastError {
  const most = limits.wireMessageBytes.toLocaleString('en');
  const message = `The message has ${bytes.toLocaleString('en')} bytes; at most ${most} are taken.`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_LARGE', message, {
    help: 'Send fewer items in one call, or smaller payloads.',
  });
}

/** Returns the error for a message that cannot be decoded. */
export function unreadable(cause: unknown): HoldfastError {
  return new HoldfastError('INTERNAL', 'BUG', 'The answer of the server cannot be decoded.', {
    cause,
    help: 'Check that this is a Holdfast server and that its version fits the version of this client.',
  });
}
