import { expect, it } from 'vitest';
import { isSampled, isUnsampled, traceIdsOf } from './traceparent.ts';

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
