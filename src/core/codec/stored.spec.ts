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
import { type OptionsRequest, resolveOptions } from '../submission/submission.ts';
import { decodeOptions, decodeRequested, encodeOptions, noOptions, writeOptions } from './options.ts';
import { encodeSpec, peekSpec, readSpec } from './spec.ts';
import { Writer } from './writer.ts';

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

  it('of an object that many tasks share are encoded once, and those with a time for each task', () => {
    const shared = resolveOptions({ ...noOptions, priority: 'low' }, 0);
    expect(encodeOptions(shared)).toBe(encodeOptions(shared));
    const timed = { ...shared, runAtMs: 1 };
    expect(encodeOptions(timed)).not.toBe(encodeOptions(timed));
  });

  it('as a submission sends them are one object for equal bytes, unless they have a time or a parent', () => {
    const decoded = (options: Partial<OptionsRequest>) => {
      const bytes = new Writer();
      writeOptions(bytes, { ...noOptions, ...options });
      return decodeRequested(bytes.finish());
    };
    expect(decoded({ priority: 'low', tags: ['a'] })).toBe(decoded({ priority: 'low', tags: ['a'] }));
    expect(decoded({ priority: 'low', tags: ['b'] })).toMatchObject({ tags: ['b'] });
    for (const own of [{ runAtMs: 1 }, { delayMs: 1 }, { deadlineAtMs: 1 }, { parentId: 'p' }])
      expect(decoded(own)).not.toBe(decoded(own));
    const long = { tags: Array.from({ length: 9 }, (_, i) => `${i}`.repeat(64)) };
    expect(decoded(long)).not.toBe(decoded(long));
    expect(decoded(long)).toEqual(decoded(long));
  });

  it('of equal bytes are decoded only once, because most tasks have the same options', () => {
    const [stored] = fc.sample(storedOptions, { numRuns: 1, seed: 5 });
    if (stored === undefined) throw new Error('no sample');
    expect(decodeOptions(encodeOptions(stored))).toBe(decodeOptions(encodeOptions(stored)));
  });
});
