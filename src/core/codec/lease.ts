import { HoldfastError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Lease } from '../task/lease.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const writer = new Writer();

function badLease(): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', 'This is not a lease from Holdfast.', {
    help: 'Send the lease back exactly as the assignment had it.',
  });
}

export function encodeLease(lease: Lease): Uint8Array<ArrayBuffer> {
  writer.reset().string(1, lease.id).number(2, lease.fencingToken).number(3, lease.version);
  return writer.number(4, lease.timeoutAtMs).string(5, lease.receiptHandle).finish();
}

export function decodeLease(bytes: Uint8Array): Lease {
  if (bytes.length === 0 || bytes.length > limits.leaseBytes) throw badLease();
  let id = '';
  let fencingToken = 0;
  let version = 0;
  let timeoutAtMs = 0;
  let receiptHandle = '';
  try {
    const reader = new Reader(bytes);
    for (let field = reader.field(); field !== 0; field = reader.field()) {
      if (field === 1) id = reader.string();
      else if (field === 2) fencingToken = reader.number();
      else if (field === 3) version = reader.number();
      else if (field === 4) timeoutAtMs = reader.number();
      else if (field === 5) receiptHandle = reader.string();
      else reader.skip();
    }
  } catch {
    throw badLease();
  }
  if (id === '' || fencingToken <= 0 || version <= 0) throw badLease();
  return { id, fencingToken, version, timeoutAtMs, receiptHandle };
}
