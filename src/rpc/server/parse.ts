/**
 * Parses messages from the network. A parse error is a return value, because grpc-js hides errors that a parser throws.
 */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';

/**
 * The number of bytes by which a message may exceed `limits.wireMessageBytes`, which does not count framing and field
 * names.
 */
const slackBytes = 65_536;
export const mostMessageBytes = limits.wireMessageBytes + slackBytes;
/**
 * The size in bytes of the largest message that is read at all. An oversized message up to this size is refused with
 * Holdfast's error TOO_LARGE, a larger one with an error of grpc-js.
 */
export const mostReadBytes = 4 * limits.wireMessageBytes;

/** A parsed message, or the error to answer the call with. */
export type ParseResult<T> = T | HoldfastError;

export function parser<T>(parse: (bytes: Uint8Array) => T): (bytes: Buffer) => ParseResult<T> {
  return (bytes) => {
    if (bytes.length > mostMessageBytes) return tooLarge(bytes.length);
    try {
      return parse(bytes);
    } catch (thrown) {
      return thrown instanceof HoldfastError ? thrown : malformed(thrown);
    }
  };
}

export function messageParser<D extends DescMessage>(
  desc: D,
): (bytes: Buffer) => ParseResult<MessageShape<D>> {
  return parser((bytes) => fromBinary(desc, bytes));
}

export function messageWriter<D extends DescMessage>(desc: D): (message: MessageShape<D>) => Buffer {
  return (message) => asBuffer(toBinary(desc, message));
}

/** Returns the bytes as a Buffer over the same memory, because grpc-js accepts only Buffers. */
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
    help: 'Send protobuf messages of the schema holdfast.v1, as a generated client does.',
  });
}
