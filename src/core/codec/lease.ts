import { HoldfastError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Lease } from '../task/lease.ts';
import { checksumOf } from './checksum.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const writer = new Writer();

/** The number of the checksum's field, which is the last one of a lease: a tag of one byte and four bytes. */
const checksumField = 7;
const checksumBytes = 4;
const checksumTag = checksumField * 8 + 5;

function badLease(message: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, {
    help: 'Send the lease back exactly as the assignment had it.',
  });
}

const notALease = 'This is not a lease from Holdfast.';

/**
 * Encodes a lease. The secret stands first and the checksum last, so that no part of a lease that was cut looks like a
 * lease of an older version, which had neither.
 */
export function encodeLease(lease: Lease): Uint8Array<ArrayBuffer> {
  writer.reset().string(6, lease.secret);
  writer.string(1, lease.id).number(2, lease.fencingToken).number(3, lease.version);
  writer.number(4, lease.timeoutAtMs).string(5, lease.receiptHandle);
  const bytes = writer.fixed32(checksumField, 0).finish();
  const covered = bytes.length - checksumBytes;
  const checksum = checksumOf(bytes, covered);
  for (let i = 0; i < checksumBytes; i++) bytes[covered + i] = checksum >>> (8 * i);
  return bytes;
}

/** Returns true if the bytes end with a checksum, and it is that of the bytes before it. */
function isWhole(bytes: Uint8Array): boolean {
  const covered = bytes.length - checksumBytes;
  if (bytes[covered - 1] !== checksumTag) return false;
  const checksum = checksumOf(bytes, covered);
  for (let i = 0; i < checksumBytes; i++) {
    if (bytes[covered + i] !== ((checksum >>> (8 * i)) & 0xff)) return false;
  }
  return true;
}

/**
 * Decodes a lease. Only a lease of an older version, which has no secret either, may lack the checksum.
 *
 * @throws HoldfastError INVALID_ARGUMENT, BAD_FIELD if this is not a whole lease as `encodeLease` made it.
 */
export function decodeLease(bytes: Uint8Array): Lease {
  if (bytes.length === 0 || bytes.length > limits.leaseBytes) throw badLease(notALease);
  let id = '';
  let fencingToken = 0;
  let version = 0;
  let timeoutAtMs = 0;
  let receiptHandle = '';
  let secret = '';
  let hasChecksum = false;
  try {
    const reader = new Reader(bytes);
    for (let field = reader.field(); field !== 0; field = reader.field()) {
      if (field === 1) id = reader.string();
      else if (field === 2) fencingToken = reader.number();
      else if (field === 3) version = reader.number();
      else if (field === 4) timeoutAtMs = reader.number();
      else if (field === 5) receiptHandle = reader.string();
      else if (field === 6) secret = reader.string();
      else {
        reader.skip();
        if (field === checksumField) hasChecksum = true;
      }
    }
  } catch {
    throw badLease(notALease);
  }
  if ((secret !== '' || hasChecksum) && !isWhole(bytes))
    throw badLease('This lease was changed or cut: its checksum is wrong.');
  if (id === '' || fencingToken <= 0 || version <= 0) throw badLease(notALease);
  return { id, fencingToken, secret, version, timeoutAtMs, receiptHandle };
}
