import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../../src/rpc/gen/google/rpc/error_details_pb.ts';
import { frame } from '../../fixtures/raw-grpc.ts';
import { type GrpcAnswer, grpcProblem, httpProblem, itemProblem } from './judge.ts';

const answer: GrpcAnswer = {
  http: 200,
  code: 3,
  message: 'x',
  reason: 'BAD_FIELD',
  resetBy: undefined,
  cancelled: false,
};
const none = { code: Number.NaN, reason: undefined };

describe('an answer over gRPC', () => {
  it.each<[string, Partial<GrpcAnswer>]>([
    ['a documented error', {}],
    ['success', { code: 0, reason: undefined }],
    ['a refusal of something that is no gRPC', { ...none, http: 415 }],
    ['a reset for a protocol error', { ...none, resetBy: 1 }],
    ['a cancelled call', { ...none, cancelled: true }],
  ])('is right if it is %s', (_name, change) => {
    expect(grpcProblem({ ...answer, ...change })).toBeUndefined();
  });

  it.each<[string, Partial<GrpcAnswer>, string]>([
    ['INTERNAL', { code: 13, reason: 'BUG' }, 'INTERNAL'],
    ['UNKNOWN', { code: 2 }, 'none of the documented codes'],
    ['an error without a reason', { reason: undefined }, 'has no reason'],
    ['an error with an unknown reason', { reason: 'ODD' }, 'none of the documented ones'],
    ['a reset with INTERNAL_ERROR', { ...none, resetBy: 2 }, 'INTERNAL_ERROR'],
    ['an HTTP status of a failed server', { ...none, http: 500 }, 'HTTP status 500'],
    ['an end without a status', none, 'without a status'],
  ])('is wrong if it is %s', (_name, change, problem) => {
    expect(grpcProblem({ ...answer, ...change })).toContain(problem);
  });
});

describe('an answer over HTTP', () => {
  const json = (body: unknown): Buffer => Buffer.from(JSON.stringify(body));
  const info = toBinary(ErrorInfoSchema, create(ErrorInfoSchema, { reason: 'BAD_FIELD' }));
  const details = [{ type: 'google.rpc.ErrorInfo', value: Buffer.from(info).toString('base64') }];
  const of = (status: number, body: Buffer, contentType = 'application/json') =>
    httpProblem({ status, contentType, body });

  it('is right if it is a success, a refusal by the protocol, or an error with a reason', () => {
    expect(of(200, json({}))).toBeUndefined();
    expect(of(415, Buffer.alloc(0), '')).toBeUndefined();
    expect(of(400, json({ code: 'invalid_argument', details }))).toBeUndefined();
    expect(of(403, json({ code: 'permission_denied', reason: 'DENIED' }))).toBeUndefined();
    expect(of(499, json({ code: 'canceled', reason: 'ABANDONED' }))).toBeUndefined();
  });

  it('is wrong if it is an error without a reason, INTERNAL, or a bare status 500', () => {
    expect(of(400, json({ code: 'invalid_argument' }))).toContain('has no reason');
    expect(of(500, json({ code: 'internal', details }))).toContain('INTERNAL');
    expect(of(500, Buffer.from('oh'), 'text/plain')).toContain('HTTP status 500');
  });

  it('is wrong if a stream ends with an error without a reason', () => {
    const end = (error: object): Buffer => frame(json({ error }), undefined, 2);
    const body = Buffer.concat([frame(json({ id: 'x' })), end({ code: 'internal' })]);
    expect(of(200, body, 'application/connect+json')).toContain('INTERNAL');
    const good = end({ code: 'not_found', details });
    expect(of(200, good, 'application/connect+json')).toBeUndefined();
  });
});

describe('the items of a response', () => {
  it('are right if their errors are documented, and wrong if one is a defect', () => {
    const error = { code: 3, reason: 'BAD_FIELD', message: 'x' };
    expect(itemProblem({ results: [{ id: 'a' }, { error }] })).toBeUndefined();
    expect(itemProblem({ results: [{ error: { ...error, code: 13, reason: 'BUG' } }] })).toContain(
      'INTERNAL',
    );
  });
});
