import type {
  HeartbeatAnswer,
  HeartbeatItem,
  ItemError,
  OutcomeKind,
  ReportRequest,
  ReportResponse,
  Settlement,
  SettleResult,
} from '../messages.ts';
import type { Progress } from '../task/head.ts';
import { readItemError, writeItemError } from './item-error.ts';
import { malformed, Reader } from './reader.ts';
import { stateNumber, stateOf } from './submit.ts';
import { causeNumber, causeOf } from './work.ts';
import { Writer } from './writer.ts';

/** The outcomes of an attempt, each at the index of its number in `holdfast.v1.Outcome`. */
const outcomes: readonly (OutcomeKind | undefined)[] = [
  undefined,
  'succeeded',
  'failed',
  'fatal',
  'snoozed',
  'released',
  'cancelled',
  'lost',
];
/** The verdicts on a heartbeat, each at the index of its number in `holdfast.v1.HeartbeatVerdict`. */
const verdicts = [undefined, 'renewed', 'cancel', 'leaseLost', 'error'] as const;
const noBytes = new Uint8Array(0);
const writer = new Writer(65_536);

function writeSettlement(into: Writer, item: Settlement): void {
  into.bytes(1, item.lease).number(2, outcomes.indexOf(item.outcome));
  if (item.result !== undefined) into.message(3, item.result);
  into.words(4, item.message).words(5, item.errorType).number(6, item.afterMs).flag(7, item.begun);
  if (item.traceparent !== undefined) into.words(8, item.traceparent);
}

function readSettlement(reader: Reader): Settlement {
  let lease: Uint8Array = noBytes;
  let outcome: OutcomeKind | undefined;
  let result: Uint8Array | undefined;
  let message = '';
  let errorType = '';
  let afterMs: number | undefined;
  let begun = false;
  let traceparent: string | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) lease = reader.bytes();
    else if (field === 2) outcome = outcomes[reader.number()];
    else if (field === 3) result = reader.bytes();
    else if (field === 4) message = reader.string();
    else if (field === 5) errorType = reader.string();
    else if (field === 6) afterMs = reader.number() || undefined;
    else if (field === 7) begun = reader.flag();
    else if (field === 8) traceparent = reader.string() || undefined;
    else reader.skip();
  }
  if (outcome === undefined) throw malformed('a settlement without a known outcome');
  return { lease, outcome, result, message, errorType, afterMs, begun, traceparent };
}

function writeHeartbeat(into: Writer, item: HeartbeatItem): void {
  into.bytes(1, item.lease);
  const { progress } = item;
  if (progress !== undefined)
    into.nested(2, (nested) => nested.double(1, progress.fraction).words(2, progress.note));
  into.flag(3, item.begun);
}

function readProgress(reader: Reader): Progress {
  let fraction = 0;
  let note = '';
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) fraction = reader.double();
    else if (field === 2) note = reader.string();
    else reader.skip();
  }
  return { fraction, note };
}

function readHeartbeat(reader: Reader): HeartbeatItem {
  let lease: Uint8Array = noBytes;
  let progress: Progress | undefined;
  let begun = false;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) lease = reader.bytes();
    else if (field === 2) progress = readProgress(reader.nested());
    else if (field === 3) begun = reader.flag();
    else reader.skip();
  }
  return { lease, begun, progress };
}

/**
 * Reads a message that holds a batch: field 1 is the number of the batch, field 2 (repeated) an item, field 3 a flag.
 */
function readBatch<T>(
  reader: Reader,
  read: (item: Reader) => T,
): { batch: number; items: T[]; flag: boolean } {
  let batch = 0;
  let flag = false;
  const items: T[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) batch = reader.number();
    else if (field === 2) items.push(read(reader.nested()));
    else if (field === 3) flag = reader.flag();
    else reader.skip();
  }
  return { batch, items, flag };
}

/** Returns the bytes of a `holdfast.v1.ReportRequest`. */
export function encodeReportRequest(request: ReportRequest): Uint8Array<ArrayBuffer> {
  writer.reset();
  if (request.kind === 'hello') {
    writer.nested(1, (into) =>
      into
        .string(1, request.sessionId)
        .string(2, request.workerId)
        .string(3, request.tenant)
        .number(4, request.hellos ?? 0),
    );
  } else if (request.kind === 'settlements') {
    writer.nested(2, (into) => {
      into.number(1, request.batch);
      for (const item of request.items) into.nested(2, (nested) => writeSettlement(nested, item));
    });
  } else if (request.kind === 'heartbeats') {
    writer.nested(3, (into) => {
      into.number(1, request.batch);
      for (const item of request.items) into.nested(2, (nested) => writeHeartbeat(nested, item));
    });
  } else writer.message(4, noBytes);
  return writer.finish();
}

function readHello(reader: Reader): ReportRequest {
  let sessionId = '';
  let workerId = '';
  let tenant = '';
  let hellos = 0;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) sessionId = reader.string();
    else if (field === 2) workerId = reader.string();
    else if (field === 3) tenant = reader.string();
    else if (field === 4) hellos = reader.number();
    else reader.skip();
  }
  return { kind: 'hello', sessionId, workerId, tenant, hellos };
}

/** Decodes a ReportRequest. A message of an unknown kind, from a newer worker, is read as a keep-alive. */
export function decodeReportRequest(bytes: Uint8Array): ReportRequest {
  const reader = new Reader(bytes);
  let request: ReportRequest | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) request = readHello(reader.nested());
    else if (field === 2) {
      const { batch, items } = readBatch(reader.nested(), readSettlement);
      request = { kind: 'settlements', batch, items };
    } else if (field === 3) {
      const { batch, items } = readBatch(reader.nested(), readHeartbeat);
      request = { kind: 'heartbeats', batch, items };
    } else {
      reader.skip();
      if (field === 4) request = { kind: 'keepAlive' };
    }
  }
  return request ?? { kind: 'keepAlive' };
}

function writeSettled(into: Writer, result: SettleResult): void {
  const { error } = result;
  if (error === undefined) into.number(1, stateNumber(result.state));
  else into.nested(2, (nested) => writeItemError(nested, error));
}

function readSettled(reader: Reader): SettleResult {
  let state = 0;
  let error: ItemError | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) state = reader.number();
    else if (field === 2) error = readItemError(reader.nested());
    else reader.skip();
  }
  return error === undefined ? { state: stateOf(state), error } : { error };
}

function writeAnswer(into: Writer, answer: HeartbeatAnswer): void {
  into.number(1, verdicts.indexOf(answer.verdict));
  if (answer.verdict === 'renewed') into.number(2, answer.leaseMs);
  else if (answer.verdict === 'cancel') into.number(3, causeNumber(answer.cause));
  else if (answer.verdict === 'error') into.nested(4, (nested) => writeItemError(nested, answer.error));
}

function readAnswer(reader: Reader): HeartbeatAnswer {
  let verdictNumber = 0;
  let leaseMs = 0;
  let cause = 0;
  let error: ItemError | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) verdictNumber = reader.number();
    else if (field === 2) leaseMs = reader.number();
    else if (field === 3) cause = reader.number();
    else if (field === 4) error = readItemError(reader.nested());
    else reader.skip();
  }
  const verdict = verdicts[verdictNumber];
  if (verdict === 'renewed') return { verdict, leaseMs };
  if (verdict === 'cancel') return { verdict, cause: causeOf(cause) };
  if (verdict === 'leaseLost') return { verdict };
  if (error === undefined) throw malformed('a heartbeat answer without a verdict');
  return { verdict: 'error', error };
}

/** Returns the bytes of a `holdfast.v1.ReportResponse`. */
export function encodeReportResponse(response: ReportResponse): Uint8Array<ArrayBuffer> {
  writer.reset();
  if (response.kind === 'settled') {
    writer.nested(1, (into) => {
      into.number(1, response.batch);
      for (const result of response.results) into.nested(2, (nested) => writeSettled(nested, result));
      into.flag(3, response.credited);
    });
  } else if (response.kind === 'heartbeats') {
    writer.nested(2, (into) => {
      into.number(1, response.batch);
      for (const answer of response.answers) into.nested(2, (nested) => writeAnswer(nested, answer));
    });
  } else writer.message(response.kind === 'drain' ? 3 : 4, noBytes);
  return writer.finish();
}

/** Decodes a ReportResponse. A message of an unknown kind, from a newer server, is read as a keep-alive. */
export function decodeReportResponse(bytes: Uint8Array): ReportResponse {
  const reader = new Reader(bytes);
  let response: ReportResponse | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) {
      const { batch, items, flag } = readBatch(reader.nested(), readSettled);
      response = { kind: 'settled', batch, results: items, credited: flag };
    } else if (field === 2) {
      const { batch, items } = readBatch(reader.nested(), readAnswer);
      response = { kind: 'heartbeats', batch, answers: items };
    } else {
      reader.skip();
      if (field === 3) response = { kind: 'drain' };
      if (field === 4) response = { kind: 'keepAlive' };
    }
  }
  return response ?? { kind: 'keepAlive' };
}
