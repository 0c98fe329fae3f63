import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { errorInDetails } from '../../client/grpc/details.ts';
import { codes, HoldfastError, reasons } from '../../core/errors.ts';
import { StatusSchema } from '../gen/google/rpc/status_pb.ts';
import { detailsTrailer, statusOf } from './status.ts';

describe('an error sent over gRPC', () => {
  it('keeps all its fields, for every code and reason', () => {
    for (const code of codes) {
      for (const reason of reasons) {
        const error = new HoldfastError(code, reason, `It is ${code}.`, {
          help: 'Do “this”.',
          taskId: '1.a',
          retryAfterMs: 1_500,
          violations: [{ field: 'items[3].key', description: 'too long' }],
        });
        const { metadata, details } = statusOf(error);
        expect(details).toBe(error.message);
        expect(errorInDetails(metadata)).toMatchObject({ ...error, message: error.message });
      }
    }
  });

  it('leaves out the fields that it does not have', () => {
    const error = errorInDetails(statusOf(new HoldfastError('ABORTED', 'CONFLICT', 'No.')).metadata);
    expect(error).toMatchObject({
      help: undefined,
      taskId: undefined,
      retryAfterMs: undefined,
      violations: [],
    });
  });

  it('contains neither its stack trace nor its cause', () => {
    const cause = new Error('a secret of the store');
    const { metadata } = statusOf(
      new HoldfastError('INTERNAL', 'STORE_FAILED', 'The store failed.', { cause }),
    );
    const text = String(metadata.get(detailsTrailer)[0]);
    expect(text).not.toContain('secret');
    expect(text).not.toContain('.ts:');
  });

  it('is shortened to 4 KiB and keeps only the first few of many violations', () => {
    const violations = Array.from({ length: 500 }, (_, i) => ({
      field: `items[${i}].spec`,
      description: 'é'.repeat(400),
    }));
    const error = new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', 'é'.repeat(9_000), { violations });
    const { metadata, details } = statusOf(error);
    const bytes = metadata.get(detailsTrailer)[0] as Buffer;
    expect(bytes.length).toBeLessThanOrEqual(4_096);
    expect(encodeURI(details).length).toBeLessThanOrEqual(6_200);
    expect(fromBinary(StatusSchema, bytes).message).toBe(details);
    expect(errorInDetails(metadata)?.violations[0]?.field).toBe('items[0].spec');
  });

  it('can be encoded even if its message has a lone surrogate', () => {
    const { details } = statusOf(new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', `no '\ud800'`));
    expect(() => encodeURI(details)).not.toThrow();
  });
});
