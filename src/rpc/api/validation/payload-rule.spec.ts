import { describe, expect, it } from 'vitest';
import { payload } from '../../../../test/fixtures/api-node.ts';
import { checkSpec, violationLines } from '../../../../test/fixtures/validation-errors.ts';
import { limits } from '../../../core/limits.ts';

describe('a payload', () => {
  it('of the content type JSON must be valid JSON', () => {
    const error = checkSpec({ payload: payload('{"a":') });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_JSON' });
    expect(violationLines(error)[0]).toMatch(/^items\[3\]\.spec\.payload\.bytes: is not valid JSON: /);
  });

  it('of JSON of more levels than the scan follows is accepted, and refused if a bracket is missing', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    expect(checkSpec({ payload: payload(deep) })).toBeUndefined();
    expect(checkSpec({ payload: payload(deep.slice(1)) })).toMatchObject({ reason: 'BAD_JSON' });
  });

  it('of the content type JSON must be UTF-8', () => {
    const error = checkSpec({ payload: { ...payload(''), bytes: Uint8Array.of(0x22, 0xff, 0x22) } });
    expect(error).toMatchObject({ reason: 'BAD_JSON' });
    expect(violationLines(error)).toEqual(['items[3].spec.payload.bytes: is not valid UTF-8']);
  });

  it('without a content type must be JSON, unless it is empty', () => {
    expect(checkSpec({ payload: payload('nope', '') })).toMatchObject({ reason: 'BAD_JSON' });
    expect(checkSpec({ payload: payload('', '') })).toBeUndefined();
  });

  it('of another content type, compressed or encrypted, may have any bytes', () => {
    expect(checkSpec({ payload: payload('{', 'text/plain') })).toBeUndefined();
    expect(checkSpec({ payload: { ...payload('{'), encoding: 'zstd' } })).toBeUndefined();
    expect(checkSpec({ payload: { ...payload('{'), keyId: 'k' } })).toBeUndefined();
  });

  it('of more than 256 KiB is refused with TOO_LARGE', () => {
    const error = checkSpec({ payload: payload('x'.repeat(limits.payloadBytes + 1), 'text/plain') });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE', retryable: false });
    expect(violationLines(error)).toEqual([
      'items[3].spec.payload.bytes: has 262,145 bytes; at most 262,144',
    ]);
  });

  it('that is only a reference is refused with NOT_BUILT', () => {
    const error = checkSpec({ payload: { ...payload(''), reference: 's3://b/k' } });
    expect(error).toMatchObject({ code: 'UNIMPLEMENTED', reason: 'NOT_BUILT' });
  });

  it('that is not valid JSON is reported with BAD_FIELD if another field is invalid too', () => {
    expect(checkSpec({ type: '', payload: payload('{') })).toMatchObject({ reason: 'BAD_FIELD' });
  });
});
