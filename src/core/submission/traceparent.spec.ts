import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSampled, isTraceparent, isUnsampled, traceIdsOf } from './traceparent.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const withFlags = (flags: string): string => `00-${traceId}-b7ad6b7169203331-${flags}`;

it('a traceparent is of a sampled trace if the lowest bit of its flags is set, whatever the other bits are', () => {
  for (let flags = 0; flags < 256; flags++) {
    const text = flags.toString(16).padStart(2, '0');
    expect([text, isSampled(withFlags(text))]).toEqual([text, flags % 2 === 1]);
    expect([text, isUnsampled(withFlags(text))]).toEqual([text, flags % 2 === 0]);
  }
});

it('no traceparent, and one that was cut off, is of no sampled trace', () => {
  expect(isSampled('')).toBe(false);
  expect(isSampled(withFlags('01').slice(0, 54))).toBe(false);
  expect(isUnsampled('')).toBe(false);
  expect(isUnsampled(withFlags('00').slice(0, 54))).toBe(false);
  expect(isUnsampled('0'.repeat(55))).toBe(false);
});

it('the ids of a traceparent are those that a log line names', () => {
  expect(traceIdsOf(withFlags('01'))).toEqual({ trace_id: traceId, span_id: 'b7ad6b7169203331' });
  expect(traceIdsOf('')).toEqual({});
});

describe('a text', () => {
  // The form of the W3C's Trace Context, as a regular expression has it.
  const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
  const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  it('is a traceparent exactly if it has the form of the W3C', () => {
    const changed = fc
      .tuple(fc.nat(60), fc.constantFrom('', '0', '-', 'f', 'F', 'g', '\n', 'é', 'ff'), fc.nat(3))
      .map(([at, put, length]) => valid.slice(0, at) + put + valid.slice(at + length));
    const digits = fc.string({ unit: fc.constantFrom('0', 'f', '-'), minLength: 54, maxLength: 56 });
    fc.assert(
      fc.property(fc.oneof(changed, digits, fc.constant(valid)), (text) => {
        expect(isTraceparent(text)).toBe(form.test(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    [valid, true],
    [valid.replace(/^00/, 'ff'), false],
    [valid.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)), false],
    [valid.replace('00f067aa0ba902b7', '0'.repeat(16)), false],
    [valid.toUpperCase(), false],
    [`${valid}\n`, false],
    ['', false],
  ])('%j is one: %s', (text, isOne) => {
    expect(isTraceparent(text)).toBe(isOne);
  });
});
