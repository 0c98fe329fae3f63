import { expect, test } from 'vitest';
import { decodeLease, encodeLease } from '../../../core/codec/lease.ts';
import { limits } from '../../../core/limits.ts';
import { decodeReceiptHandle, encodeReceiptHandle, type SqsReceipt } from './receipt-handle.ts';

const handle: SqsReceipt = {
  queue: { tenant: 'acme', queue: 'mail' },
  level: 'normal',
  receivedAtMs: 1_767_225_600_123,
  receipt: 'AQEB/w+jk==/x',
};

test('an encoded receipt handle is decoded to the same fields, even if the SQS receipt in it contains slashes', () => {
  expect(decodeReceiptHandle(encodeReceiptHandle(handle))).toEqual(handle);
});

test('an encoded lease with the longest receipt handle leaves a quarter of the size limit of leases free', () => {
  const longest = encodeReceiptHandle({
    queue: { tenant: 't'.repeat(limits.nameChars), queue: 'q'.repeat(limits.nameChars) },
    level: 'normal',
    receivedAtMs: 8_640_000_000_000_000,
    receipt: 'r'.repeat(1_024),
  });
  const most = Number.MAX_SAFE_INTEGER;
  const lease = {
    id: 'i'.repeat(128),
    fencingToken: most,
    secret: 's'.repeat(11),
    version: most,
    timeoutAtMs: most,
    receiptHandle: longest,
  };
  const bytes = encodeLease(lease);
  expect(bytes.length).toBeLessThanOrEqual(0.75 * limits.leaseBytes);
  expect(decodeLease(bytes)).toEqual(lease);
});

test('a receipt handle that was changed, cut or made up is not decoded', () => {
  const whole = encodeReceiptHandle(handle);
  for (let i = 0; i < whole.length; i++) {
    const other = whole[i] === 'x' ? 'y' : 'x';
    expect(decodeReceiptHandle(whole.slice(0, i) + other + whole.slice(i + 1))).toBeUndefined();
    expect(decodeReceiptHandle(whole.slice(0, i))).toBeUndefined();
  }
  for (const nonsense of ['', '/', `${whole}x`, `x${whole}`, 'a/b/c/d/e/f/g']) {
    expect(decodeReceiptHandle(nonsense)).toBeUndefined();
  }
});
