import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blob,
  count,
  nonEmptyText,
  storedOptions,
  text,
} from '../../../test/fixtures/message-arbitraries.ts';
import { SpecSchema, SubmitOptionsSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { decodeOptions, encodeOptions } from './options.ts';
import { encodeSpec, peekSpec, readSpec } from './spec.ts';

const spec = fc.record({
  type: nonEmptyText,
  typeVersion: count,
  orderingKey: fc.option(nonEmptyText, { nil: undefined }),
  payload: fc.record({ contentType: text, encoding: text, keyId: text, bytes: blob, reference: text }),
});

describe('a spec', () => {
  it('is encoded to the same bytes as by generated code, and decoded to the same value', () => {
    fc.assert(
      fc.property(spec, (one) => {
        const bytes = encodeSpec(one);
        const message = fromBinary(SpecSchema, bytes);
        expect(Buffer.compare(toBinary(SpecSchema, message), bytes)).toBe(0);
        const { payload } = one;
        const { contentType, encoding, keyId, reference } = message.payload ?? {};
        expect({ contentType, encoding, keyId, reference }).toEqual({ ...payload, bytes: undefined });
        expect(Uint8Array.from(message.payload?.bytes ?? [])).toEqual(payload.bytes);
        const { type, typeVersion, orderingKey } = message;
        expect({ type, typeVersion, orderingKey: orderingKey || undefined }).toEqual(peekSpec(bytes));
        const read = readSpec(bytes);
        expect({ ...read, payload: { ...read.payload, bytes: Uint8Array.from(read.payload.bytes) } }).toEqual(
          one,
        );
      }),
    );
  });

  it('without a type version has version 1', () => {
    expect(peekSpec(Uint8Array.of(0x0a, 1, 0x61))).toEqual({
      type: 'a',
      typeVersion: 1,
      orderingKey: undefined,
    });
  });
});

describe('stored options', () => {
  it('are decoded to the value that was encoded', () => {
    fc.assert(
      fc.property(storedOptions, (stored) => {
        expect(decodeOptions(encodeOptions(stored))).toEqual(stored);
      }),
    );
  });

  it('are encoded as the public message SubmitOptions with one more field', () => {
    const [stored] = fc.sample(
      storedOptions.filter((one) => one.priority === 'low' && one.ownLifetime),
      { numRuns: 1, seed: 3 },
    );
    if (stored === undefined) throw new Error('no sample');
    const message = fromBinary(SubmitOptionsSchema, encodeOptions(stored));
    expect(message).toMatchObject({ lifetimeMs: BigInt(stored.lifetimeMs), priority: 3 });
    expect(message.$unknown).toHaveLength(1);
  });

  it('of equal bytes are decoded only once, because most tasks have the same options', () => {
    const [stored] = fc.sample(storedOptions, { numRuns: 1, seed: 5 });
    if (stored === undefined) throw new Error('no sample');
    expect(decodeOptions(encodeOptions(stored))).toBe(decodeOptions(encodeOptions(stored)));
  });
});
