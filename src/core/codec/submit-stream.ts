/** The messages of a stream of submissions: several SubmitTasks calls, or their answers, in one message. */
import type {
  ItemError,
  StreamedBatch,
  StreamedResult,
  SubmitBatch,
  SubmitResult,
  SubmitStreamRequest,
  SubmitStreamResponse,
} from '../messages.ts';
import { readItemError, writeItemError } from './item-error.ts';
import { Reader } from './reader.ts';
import { readResult, readSubmitBatch, writeResult, writeSubmitBatch } from './submit.ts';
import { Writer } from './writer.ts';

const noRequest: SubmitBatch = { tenant: '', queue: '', items: [] };
const writer = new Writer(65_536);

/** Returns the bytes of a `holdfast.v1.SubmitStreamRequest`. */
export function encodeSubmitStreamRequest(request: SubmitStreamRequest): Uint8Array<ArrayBuffer> {
  writer.reset();
  if (request.kind === 'batches') {
    for (const one of request.batches)
      writer.nested(1, (into) =>
        into
          .number(1, one.batch)
          .number(2, one.timeoutMs)
          .nested(3, (nested) => writeSubmitBatch(nested, one.request)),
      );
  }
  return writer.finish();
}

function readBatch(reader: Reader): StreamedBatch {
  let batch = 0;
  let timeoutMs = 0;
  let request = noRequest;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) batch = reader.number();
    else if (field === 2) timeoutMs = reader.number();
    else if (field === 3) request = readSubmitBatch(reader.nested());
    else reader.skip();
  }
  return { batch, timeoutMs, request };
}

/** Decodes a SubmitStreamRequest. The specs in the result are views of `bytes`, not copies. */
export function decodeSubmitStreamRequest(bytes: Uint8Array): SubmitStreamRequest {
  const batches: StreamedBatch[] = [];
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) batches.push(readBatch(reader.nested()));
    else reader.skip();
  }
  return batches.length === 0 ? { kind: 'keepAlive' } : { kind: 'batches', batches };
}

function writeAnswer(into: Writer, answer: StreamedResult): void {
  into.number(1, answer.batch);
  const { error } = answer;
  if (error !== undefined) into.nested(3, (nested) => writeItemError(nested, error));
  else for (const result of answer.results) into.nested(2, (nested) => writeResult(nested, result));
}

function readAnswer(reader: Reader): StreamedResult {
  let batch = 0;
  let error: ItemError | undefined;
  const results: SubmitResult[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) batch = reader.number();
    else if (field === 2) results.push(readResult(reader.nested()));
    else if (field === 3) error = readItemError(reader.nested());
    else reader.skip();
  }
  return error === undefined ? { batch, results, error } : { batch, error };
}

/** Returns the bytes of a `holdfast.v1.SubmitStreamResponse`. */
export function encodeSubmitStreamResponse(response: SubmitStreamResponse): Uint8Array<ArrayBuffer> {
  writer.reset();
  if (response.kind === 'drain') writer.flag(2, true);
  else if (response.kind === 'results')
    for (const answer of response.results) writer.nested(1, (into) => writeAnswer(into, answer));
  return writer.finish();
}

/** Decodes a SubmitStreamResponse. The server sends a drain in a message of its own. */
export function decodeSubmitStreamResponse(bytes: Uint8Array): SubmitStreamResponse {
  const results: StreamedResult[] = [];
  let isDraining = false;
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) results.push(readAnswer(reader.nested()));
    else if (field === 2) isDraining = reader.flag();
    else reader.skip();
  }
  if (results.length > 0) return { kind: 'results', results };
  return { kind: isDraining ? 'drain' : 'keepAlive' };
}
