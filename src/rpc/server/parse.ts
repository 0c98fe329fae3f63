/** Bytes from the network to messages; what is wrong with them is a value, since grpc-js hides what is thrown. */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';

/** Framing and field names around what the limits count. */
const slackBytes = 65_536;
export const mostMessageBytes = limits.wireMessageBytes + slackBytes;
/** Up to here an oversized message is read, to be refused in our words; beyond, grpc-js stops reading. */
export const mostReadBytes = 4 * limits.wireMessageBytes;

export type Parsed<T> = T | HoldfastError;

export function parser<T>(parse: (bytes: Uint8Array) => T): (bytes: Buffer) => Parsed<T> {
  return (bytes) => {
    if (bytes.length > mostMessageBytes) return tooLarge(bytes.length);
    try {
      return parse(bytes);
    } catch (thrown) {
      return thrown instanceof HoldfastError ? thrown : malformed(thrown);
    }
  };
}

export function messageParser<D extends DescMessage>(desc: D): (bytes: Buffer) => Parsed<MessageShape<D>> {
  return parser((bytes) => fromBinary(desc, bytes));
}

export function messageWriter<D extends DescMessage>(desc: D): (message: MessageShape<D>) => Buffer {
  return (message) => asBuffer(toBinary(desc, message));
}

/** grpc-js wants a Buffer; the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function tooLarge(bytes: number): HoldfastError {
  const most = limits.wireMessageBytes.toLocaleString('en');
  const message = `The message has ${bytes.toLocaleString('en')} bytes; at most ${most} are taken.`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_LARGE', message, {
    help: 'Send fewer items in one call, or smaller payloads.',
  });
}

function malformed(thrown: unknown): HoldfastError {
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', `The message is malformed: ${what}.`, {
    help: 'Send protobuf as the schema of holdfast.v1 says; a generated client does.',
  });
}
