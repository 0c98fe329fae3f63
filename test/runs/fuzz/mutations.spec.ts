import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubmitTaskRequestSchema } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { mutate, mutationKinds } from './mutations.ts';
import { Random } from './random.ts';
import { fieldsOf, varint } from './wire-fields.ts';

const message = toBinary(
  SubmitTaskRequestSchema,
  create(SubmitTaskRequestSchema, {
    tenant: 'tenant',
    queue: 'queue',
    item: { idempotencyKey: 'key', options: { runAtMs: 5n, tags: ['a', 'b'], maxLosses: 4 } },
  }),
);

const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = fc.uint8Array({ maxLength: 300 });

describe('a mutation', () => {
  it('reaches every kind within 2,000 random ones, whatever the seed', () => {
    fc.assert(
      fc.property(seed, (one) => {
        const random = new Random(one);
        const reached = new Set(Array.from({ length: 400 }, () => mutate(message, random).kind));
        expect([...reached].sort()).toEqual([...mutationKinds].sort());
      }),
      { numRuns: 5 },
    );
  });

  it('makes the same bytes from the same seed, and leaves the message as it was', () => {
    fc.assert(
      fc.property(seed, bytes, (one, given) => {
        const before = Buffer.from(given);
        expect(mutate(given, new Random(one))).toEqual(mutate(given, new Random(one)));
        expect(before.equals(given)).toBe(true);
      }),
    );
  });

  it('of every kind changes a message, and makes a bounded one of any bytes', () => {
    for (const kind of mutationKinds) {
      const changes = Array.from({ length: 50 }, (_, i) => mutate(message, new Random(i), kind).bytes);
      expect(changes.filter((one) => !one.equals(message)).length, kind).toBeGreaterThan(10);
      fc.assert(
        fc.property(seed, bytes, (one, given) => {
          expect(mutate(given, new Random(one), kind).bytes.length).toBeLessThan(300_000);
        }),
      );
    }
  });

  it.each([
    ['wrongType', 'deepNesting'],
    ['truncated', 'wrongLength'],
    ['invalidText', 'overlongNumber'],
  ] as const)('of the kinds %s and %s makes messages that no decoder accepts', (...kinds) => {
    for (const kind of kinds) {
      const refused = Array.from({ length: 100 }, (_, i) => i).filter((i) => {
        try {
          fromBinary(SubmitTaskRequestSchema, mutate(message, new Random(i), kind).bytes);
          return false;
        } catch {
          return true;
        }
      });
      expect(refused.length, kind).toBeGreaterThan(0);
    }
  });
});

describe('the fields of a message', () => {
  it('are found in their order and cover it', () => {
    const fields = fieldsOf(message);
    expect(fields.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(fields.at(0)?.start).toBe(0);
    expect(fields.at(-1)?.end).toBe(message.length);
  });

  it('end before the first bytes that are no field, whatever the bytes are', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        for (const { start, value, end } of fieldsOf(given)) {
          expect(start).toBeLessThan(value);
          expect(end).toBeLessThanOrEqual(given.length);
        }
      }),
    );
  });

  it('have numbers that are written as protobuf writes them', () => {
    expect(varint(300).toString('hex')).toBe('ac02');
    expect(varint(-1).toString('hex')).toBe('ffffffffffffffffff01');
  });
});
