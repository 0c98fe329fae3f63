import { describe, expect, it } from 'vitest';
import { payload } from '../../../../test/fixtures/api-node.ts';
import { specWith, told } from '../../../../test/fixtures/judged.ts';
import { limits } from '../../../core/limits.ts';

describe('a payload', () => {
  it('that says it is JSON must be', () => {
    const error = specWith({ payload: payload('{"a":') });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_JSON' });
    expect(told(error)[0]).toMatch(/^items\[3\]\.spec\.payload\.bytes: is not valid JSON: /);
  });

  it('that says it is JSON must be UTF-8', () => {
    const error = specWith({ payload: { ...payload(''), bytes: Uint8Array.of(0x22, 0xff, 0x22) } });
    expect(error).toMatchObject({ reason: 'BAD_JSON' });
    expect(told(error)).toEqual(['items[3].spec.payload.bytes: is not valid UTF-8']);
  });

  it('that says nothing of itself is JSON, unless it is nothing', () => {
    expect(specWith({ payload: payload('nope', '') })).toMatchObject({ reason: 'BAD_JSON' });
    expect(specWith({ payload: payload('', '') })).toBeUndefined();
  });

  it('of another type, packed or encrypted may be any bytes', () => {
    expect(specWith({ payload: payload('{', 'text/plain') })).toBeUndefined();
    expect(specWith({ payload: { ...payload('{'), encoding: 'zstd' } })).toBeUndefined();
    expect(specWith({ payload: { ...payload('{'), keyId: 'k' } })).toBeUndefined();
  });

  it('past 256 KiB is too large', () => {
    const error = specWith({ payload: payload('x'.repeat(limits.payloadBytes + 1), 'text/plain') });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE', retryable: false });
    expect(told(error)).toEqual(['items[3].spec.payload.bytes: has 262,145 bytes; at most 262,144']);
  });

  it('that lies elsewhere is not built yet', () => {
    const error = specWith({ payload: { ...payload(''), reference: 's3://b/k' } });
    expect(error).toMatchObject({ code: 'UNIMPLEMENTED', reason: 'NOT_BUILT' });
  });

  it('is one of several violations where others are wrong too', () => {
    expect(specWith({ type: '', payload: payload('{') })).toMatchObject({ reason: 'BAD_FIELD' });
  });
});
