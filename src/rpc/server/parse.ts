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

/** A parsed message, or the error to answer the call with. */
export type ParseResult<T> = T | HoldfastError;

export function parser<T>(parse: (bytes: Uint8Array) => T): (bytes: Buffer) => ParseResult<T> {
  return (bytes) => {
    try {
      return parse(bytes);
    } catch (thrown) {
      return thrown instanceof HoldfastError ? thrown : malformed(thrown);
    }
  };
}

/** A message with the length of its encoding. */
export interface SizedMessage<T> {
  readonly message: T;
  readonly bytes: number;
}

/** Parses messages whose parts are views of the whole message, so that each part keeps all its bytes in memory. */
export function sizedParser<T>(
  parse: (bytes: Uint8Array) => T,
): (bytes: Buffer) => ParseResult<SizedMessage<T>> {
  return parser((bytes) => ({ message: parse(bytes), bytes: bytes.length }));
}

/** Unknown fields are dropped, because a message may be kept for as long as its call is open. */
export function messageParser<D extends DescMessage>(
  desc: D,
): (bytes: Buffer) => ParseResult<MessageShape<D>> {
  return parser((bytes) => fromBinary(desc, bytes, { readUnknownFields: false }));
}

export function messageWriter<D extends DescMessage>(desc: D): (message: MessageShape<D>) => Buffer {
  return (message) => asBuffer(toBinary(desc, message));
}

/** Returns the bytes as a Buffer over the same memory, because grpc-js accepts only Buffers. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Returns the error for a message of this size. `mostBytes` is the limit that applies to its sender. */
export function tooLarge(bytes: number, mostBytes: number): HoldfastError {
  const most = Math.min(mostBytes, limits.wireMessageBytes).toLocaleString('en');
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
