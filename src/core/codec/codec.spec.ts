import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  generatedBatch,
  generatedReportRequest,
  generatedReportResponse,
  generatedResult,
  generatedWorkRequest,
  generatedWorkResponse,
} from '../../../test/fixtures/generated-messages.ts';
import {
  batch,
  reportRequest,
  reportResponse,
  submitResult,
  workRequest,
  workResponse,
} from '../../../test/fixtures/message-arbitraries.ts';
import {
  SubmitTasksRequestSchema,
  SubmitTasksResponseSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import {
  ReportRequestSchema,
  ReportResponseSchema,
  WorkRequestSchema,
  WorkResponseSchema,
} from '../../rpc/gen/holdfast/v1/worker_service_pb.ts';
import { HoldfastError } from '../errors.ts';
import type { OptionsRequest } from '../submission/submission.ts';
import { decodeLease } from './lease.ts';
import { noOptions } from './options.ts';
import { decodePayload } from './payload.ts';
import {
  decodeReportRequest,
  decodeReportResponse,
  encodeReportRequest,
  encodeReportResponse,
} from './report.ts';
import { readSpec } from './spec.ts';
import {
  decodeSubmitBatch,
  decodeSubmitResult,
  encodeSubmitBatch,
  encodeSubmitResult,
  mostItemBytes,
} from './submit.ts';
import { decodeWorkRequest, decodeWorkResponse, encodeWorkRequest, encodeWorkResponse } from './work.ts';

interface Coded<T, D extends DescMessage> {
  readonly schema: D;
  readonly values: fc.Arbitrary<T>;
  readonly generated: (value: T) => MessageShape<D>;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
}

function coded<T, D extends DescMessage>(one: Coded<T, D>): Coded<T, D> {
  return one;
}

const messages = {
  SubmitTasksRequest: coded({
    schema: SubmitTasksRequestSchema,
    values: batch,
    generated: generatedBatch,
    encode: encodeSubmitBatch,
    decode: decodeSubmitBatch,
  }),
  SubmitTasksResponse: coded({
    schema: SubmitTasksResponseSchema,
    values: submitResult,
    generated: generatedResult,
    encode: encodeSubmitResult,
    decode: decodeSubmitResult,
  }),
  WorkRequest: coded({
    schema: WorkRequestSchema,
    values: workRequest,
    generated: generatedWorkRequest,
    encode: encodeWorkRequest,
    decode: decodeWorkRequest,
  }),
  WorkResponse: coded({
    schema: WorkResponseSchema,
    values: workResponse,
    generated: generatedWorkResponse,
    encode: encodeWorkResponse,
    decode: decodeWorkResponse,
  }),
  ReportRequest: coded({
    schema: ReportRequestSchema,
    values: reportRequest,
    generated: generatedReportRequest,
    encode: encodeReportRequest,
    decode: decodeReportRequest,
  }),
  ReportResponse: coded({
    schema: ReportResponseSchema,
    values: reportResponse,
    generated: generatedReportResponse,
    encode: encodeReportResponse,
    decode: decodeReportResponse,
  }),
};
const decoders = [
  ...Object.values(messages).map(({ decode }) => decode),
  decodeLease,
  decodePayload,
  readSpec,
] as ((bytes: Uint8Array) => unknown)[];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Returns a value as plain JSON: bytes of any class become hex, and undefined members are left out. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, inner) =>
      inner?.type === 'Buffer' ? hex(inner.data) : inner instanceof Uint8Array ? hex(inner) : inner,
    ),
  );
}

/** Expects that a decoder reads the bytes, or throws INVALID_ARGUMENT with the reason BAD_FIELD. */
function readsOrRefuses(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
  }
}

describe.each(Object.entries(messages))('%s', (_name, message) => {
  const { schema, values, generated, encode, decode } = message as unknown as Coded<unknown, DescMessage>;

  it('is encoded to the same bytes as by generated code', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(hex(encode(value))).toBe(hex(toBinary(schema, generated(value))));
      }),
    );
  });

  it('is decoded to the same value from bytes that generated code encoded', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(plain(decode(toBinary(schema, generated(value))))).toEqual(plain(value));
      }),
    );
  });

  it('is decoded to the same value if a newer sender added fields', () => {
    const added = Uint8Array.of(
      0xa0,
      6,
      1,
      0xa9,
      6,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      0xb2,
      6,
      2,
      1,
      2,
      0xbd,
      6,
      1,
      2,
      3,
      4,
    );
    fc.assert(
      fc.property(values, (value) => {
        const bytes = Buffer.concat([added, encode(value), added]);
        expect(plain(decode(bytes))).toEqual(plain(value));
      }),
      { numRuns: 30 },
    );
  });

  it('is refused or decoded as a shorter message if its bytes are cut off at any place', () => {
    for (const value of fc.sample(values, { numRuns: 12, seed: 11 })) {
      const bytes = encode(value).subarray(0, 1_500);
      for (let end = 0; end < bytes.length; end++) readsOrRefuses(decode, bytes.subarray(0, end));
    }
  });

  it('is decoded or refused with BAD_FIELD if any byte is changed', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(255), (value, place, byte) => {
        const bytes = Uint8Array.from(encode(value));
        if (bytes.length > 0) bytes[place % bytes.length] = byte;
        readsOrRefuses(decode, bytes);
      }),
    );
  });
});

describe('the size of a submission in a batch', () => {
  it('is at most the upper bound that mostItemBytes returns, and not much less', () => {
    fc.assert(
      fc.property(batch, ({ items }) => {
        for (const item of items) {
          const took = encodeSubmitBatch({ tenant: '', queue: '', items: [item] }).length;
          expect(mostItemBytes(item)).toBeGreaterThanOrEqual(took);
          const { tags, parentId = '' } = item.options;
          const chars = [item.key, item.traceparent, parentId, ...tags].join('').length;
          expect(mostItemBytes(item) - took).toBeLessThanOrEqual(256 + chars * 2);
        }
      }),
    );
  });

  it('is at most the upper bound that mostItemBytes returns, even if every field has its largest value', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const options: OptionsRequest = {
      runAtMs: most,
      delayMs: most,
      deadlineAtMs: most,
      lifetimeMs: most,
      retentionMs: most,
      windowMs: most,
      priority: 'low',
      retry: { maxAttempts: most, baseMs: most, factor: 1.5, maxMs: most },
      attemptTimeoutMs: most,
      tags: Array.from({ length: 8 }, () => '键'.repeat(21)),
      parentId: '键'.repeat(255),
      whenDead: 'redrive',
      maxLosses: 7,
    };
    const [key, traceparent] = ['键'.repeat(255), '键'.repeat(255)];
    const item = { key, spec: new Uint8Array(262_144), options, traceparent };
    const took = encodeSubmitBatch({ tenant: '', queue: '', items: [item] }).length;
    expect(mostItemBytes(item)).toBeGreaterThanOrEqual(took);
  });
});

describe('encoding a submission', () => {
  it('refuses a priority that has no wire number, with an error that names the priority', () => {
    const options = { ...noOptions, priority: 'urgent' as 'high' };
    const item = { key: '', spec: new Uint8Array(1), options, traceparent: '' };
    expect(() => encodeSubmitBatch({ tenant: '', queue: '', items: [item] })).toThrow(
      'priority: is urgent; one of high, normal, low',
    );
  });
});

describe('decoding bytes of other programs', () => {
  it('reads any bytes or refuses them with BAD_FIELD, and throws no other error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of decoders) readsOrRefuses(decode, bytes);
      }),
    );
  });

  it('reads a stream message of an unknown kind as a keep-alive', () => {
    const newer = Uint8Array.of(0xa2, 6, 2, 8, 1);
    for (const decode of [decodeWorkRequest, decodeWorkResponse, decodeReportRequest, decodeReportResponse]) {
      expect(decode(newer)).toEqual({ kind: 'keepAlive' });
    }
  });

  it('refuses a settlement of an unknown outcome, because a guess could end the task wrongly', () => {
    expect(() => decodeReportRequest(Uint8Array.of(0x12, 4, 0x12, 2, 0x10, 77))).toThrow(/outcome/);
  });

  it('keeps the number of an unknown priority as text, so that the validator can name it in its error', () => {
    const bytes = Uint8Array.of(0x1a, 4, 0x1a, 2, 0x38, 9);
    expect(decodeSubmitBatch(bytes).items[0]?.options.priority).toBe('9');
  });
});
