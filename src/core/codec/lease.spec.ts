import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../limits.ts';
import { isFromClaim, type Lease } from '../task/lease.ts';
import { decodeLease, encodeLease } from './lease.ts';
import { Writer } from './writer.ts';

const lease: Lease = {
  id: 'a-1',
  fencingToken: 1_764_000_000_123,
  secret: 'AbCdEfGhIjk',
  version: 2,
  timeoutAtMs: 1_764_000_300_123,
  receiptHandle: 'h',
};

const whole = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const leases: fc.Arbitrary<Lease> = fc.record({
  id: fc.string({ minLength: 1, maxLength: 40 }),
  fencingToken: whole,
  secret: fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('base64url')),
  version: whole,
  timeoutAtMs: fc.nat(),
  receiptHandle: fc.string({ maxLength: 60 }),
});

/** Returns a lease as versions without secrets encoded it. */
function encodedByOlder(old: Omit<Lease, 'secret'>): Uint8Array {
  const writer = new Writer().string(1, old.id).number(2, old.fencingToken).number(3, old.version);
  return writer.number(4, old.timeoutAtMs).string(5, old.receiptHandle).finish();
}

describe('a lease', () => {
  it('is decoded to the value that was encoded', () => {
    fc.assert(
      fc.property(leases, (one) => {
        expect(decodeLease(encodeLease(one))).toEqual(one);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is refused if any single byte of it was changed', () => {
    fc.assert(
      fc.property(leases, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, difference) => {
        const bytes = encodeLease(one);
        const index = at % bytes.length;
        bytes[index] = (bytes[index] as number) ^ difference;
        expect(() => decodeLease(bytes)).toThrow(/lease/);
      }),
      { numRuns: 1_000 },
    );
    const changed = encodeLease(lease);
    for (let at = 0; at < changed.length; at++) {
      for (let difference = 1; difference <= 255; difference++) {
        changed[at] = (changed[at] as number) ^ difference;
        expect(() => decodeLease(changed), `byte ${at} ^ ${difference}`).toThrow(/lease/);
        changed[at] = (changed[at] as number) ^ difference;
      }
    }
    expect(decodeLease(changed)).toEqual(lease);
  });

  it('is refused if any part of it was cut: at its end, at its beginning or within it', () => {
    fc.assert(
      fc.property(leases, fc.nat(), fc.nat(), (one, a, b) => {
        const bytes = encodeLease(one);
        const from = a % bytes.length;
        const to = from + 1 + (b % (bytes.length - from));
        const cut = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
        for (const left of [cut, bytes.subarray(0, from), bytes.subarray(to)])
          expect(() => decodeLease(left)).toThrow(/lease/);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is refused if its bytes are no lease, are too long, or lack id, fencing token or version', () => {
    const none = [
      new Uint8Array(0),
      Uint8Array.of(1, 2, 3),
      new Uint8Array(limits.leaseBytes + 1),
      encodeLease({ ...lease, id: '' }),
      encodeLease({ ...lease, fencingToken: 0 }),
      encodeLease({ ...lease, version: 0 }),
      encodeLease(lease).subarray(0, 5),
    ];
    for (const bytes of none) expect(() => decodeLease(bytes)).toThrow(/not a lease from Holdfast/);
  });

  it('with a negative fencing token is refused', () => {
    expect(() => decodeLease(encodeLease({ ...lease, fencingToken: -5 }))).toThrow(/not a lease/);
  });

  it('of an older version, which has neither a secret nor a checksum, is decoded', () => {
    expect(decodeLease(encodedByOlder(lease))).toEqual({ ...lease, secret: '' });
  });

  it('with a secret is decoded by an older version, which skips the fields that it does not know', () => {
    const bytes = encodeLease(lease);
    const known = encodedByOlder(lease);
    expect(Buffer.from(bytes).includes(Buffer.from(known))).toBe(true);
  });
});

describe('the secret of a lease', () => {
  const head = { fencingToken: lease.fencingToken, leaseSecret: lease.secret } as Parameters<
    typeof isFromClaim
  >[0];

  it('must be that of the head if both are of one claim', () => {
    expect(isFromClaim(head, lease)).toBe(true);
    for (const secret of ['', 'AbCdEfGhIjK', 'AbCdEfGhIj'])
      expect(isFromClaim(head, { ...lease, secret })).toBe(false);
  });

  it('is not compared with a head of an older version or of another claim', () => {
    expect(isFromClaim({ ...head, leaseSecret: '' }, lease)).toBe(true);
    expect(isFromClaim({ ...head, leaseSecret: '' }, { ...lease, secret: '' })).toBe(true);
    expect(isFromClaim({ ...head, fencingToken: head.fencingToken + 1 }, { ...lease, secret: '' })).toBe(
      true,
    );
  });
});
