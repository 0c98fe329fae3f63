import { decodeEvent, encodeEvent } from '../../../../core/codec/event.ts';
import { decodeOptions, encodeOptions } from '../../../../core/codec/options.ts';
import { Reader } from '../../../../core/codec/reader.ts';
import { Writer } from '../../../../core/codec/writer.ts';
import type { Submission } from '../../../../core/submission/submission.ts';
import type { SubmittedEvent } from '../../../../core/task/event.ts';
import { pack, unpack } from './compression.ts';

/** Content of the attribute `b` of a submission item. */
export interface SubmissionBody {
  readonly submission: Submission;
  readonly laneSeq: number | undefined;
}

const writer = new Writer();
const noBytes = new Uint8Array(0);

/**
 * Encodes all of a submission except its type, as one value in the wire format of protobuf. The type is an attribute
 * of its own, because an index projects it.
 */
export function encodeBody(submission: Submission, laneSeq: number | undefined): Uint8Array {
  const { scope, spec, options, orderingKey } = submission;
  const packed = pack(spec);
  const optionBytes = encodeOptions(options);
  const submitted = encodeEvent(submission.submitted);
  writer.reset().string(1, scope.tenant).string(2, scope.queue).string(3, scope.key);
  writer.number(4, submission.typeVersion).string(5, orderingKey).number(6, laneSeq);
  writer.number(7, submission.acceptedAtMs).number(8, submission.expiresAtMs);
  writer.message(9, optionBytes).message(10, submitted).string(11, submission.traceparent);
  return writer.flag(12, packed.zstd).message(13, packed.bytes).finish();
}

interface BodyFields {
  tenant: string;
  queue: string;
  key: string;
  typeVersion: number;
  orderingKey: string | undefined;
  laneSeq: number | undefined;
  acceptedAtMs: number;
  expiresAtMs: number;
  options: Uint8Array;
  submitted: Uint8Array;
  traceparent: string;
  zstd: boolean;
  spec: Uint8Array;
}

function empty(): BodyFields {
  return {
    tenant: '',
    queue: '',
    key: '',
    typeVersion: 0,
    orderingKey: undefined,
    laneSeq: undefined,
    acceptedAtMs: 0,
    expiresAtMs: 0,
    options: noBytes,
    submitted: noBytes,
    traceparent: '',
    zstd: false,
    spec: noBytes,
  };
}

function readFields(bytes: Uint8Array): BodyFields {
  const read = empty();
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) read.tenant = reader.string();
    else if (field === 2) read.queue = reader.string();
    else if (field === 3) read.key = reader.string();
    else if (field === 4) read.typeVersion = reader.number();
    else if (field === 5) read.orderingKey = reader.string();
    else if (field === 6) read.laneSeq = reader.number();
    else if (field === 7) read.acceptedAtMs = reader.number();
    else if (field === 8) read.expiresAtMs = reader.number();
    else if (field === 9) read.options = reader.bytes();
    else if (field === 10) read.submitted = reader.bytes();
    else if (field === 11) read.traceparent = reader.string();
    else if (field === 12) read.zstd = reader.flag();
    else if (field === 13) read.spec = reader.bytes();
    else reader.skip();
  }
  return read;
}

export function decodeBody(bytes: Uint8Array, type: string): SubmissionBody {
  const { tenant, queue, key, laneSeq, submitted, ...read } = readFields(bytes);
  const submission: Submission = {
    scope: { tenant, queue, key },
    spec: unpack({ bytes: read.spec, zstd: read.zstd }),
    type,
    typeVersion: read.typeVersion,
    orderingKey: read.orderingKey,
    options: decodeOptions(read.options),
    traceparent: read.traceparent,
    acceptedAtMs: read.acceptedAtMs,
    expiresAtMs: read.expiresAtMs,
    submitted: decodeEvent(submitted) as SubmittedEvent,
  };
  return { submission, laneSeq };
}
