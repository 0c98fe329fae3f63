import { begunWords, deadReasons, eventKinds, type TaskEvent } from '../task/event.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** The schema number of the events that this version writes. Readers convert older events to this schema. */
export const eventSchema = 1;

/** All fields of a `holdfast.v1.TaskEvent`. */
export interface EventFields {
  readonly kind: number;
  readonly schema: number;
  readonly atMs: number;
  readonly fencingToken: number | undefined;
  readonly attempt: number;
  readonly worker: string;
  readonly runAtMs: number | undefined;
  readonly deadReason: number;
  readonly message: string;
  readonly errorType: string;
  readonly timeoutAtMs: number;
  readonly actor: string;
  readonly resultBytes: number;
  readonly deadlineAtMs: number | undefined;
  readonly lifetimeEndAtMs: number | undefined;
  readonly inLane: boolean;
  readonly holdsLane: boolean;
  readonly countsAsRelease: boolean;
  readonly begun: number;
  readonly alone: boolean;
  readonly countsAsLoss: boolean;
}

/** Converts an event of one schema to the next schema. */
export type Upcast = (older: EventFields) => EventFields;

/**
 * The conversions of events of older schemas, by `<kind number>/<schema>`. The map is empty, because there is only one
 * schema so far.
 */
export const upcasts: ReadonlyMap<string, Upcast> = new Map();

const begunYes = begunWords.indexOf('yes');
const writer = new Writer();

type KnownEvent = Exclude<TaskEvent, { kind: 'unknown' }>;

/**
 * Writes the fields of a TaskEvent whose field numbers are 4 and above. The kind of the event decides which of them it
 * has.
 */
function writeRest(into: Writer, event: KnownEvent): void {
  switch (event.kind) {
    case 'submitted':
      into.number(7, event.runAtMs).number(14, event.deadlineAtMs).number(15, event.lifetimeEndAtMs);
      into.flag(16, event.inLane);
      break;
    case 'claimed':
      into.number(4, event.fencingToken).number(5, event.attempt).words(6, event.worker);
      into.number(11, event.timeoutAtMs).number(19, event.begins ? begunYes : 0);
      break;
    case 'claimReleased':
      into.number(4, event.fencingToken).number(7, event.retryAtMs).flag(18, event.countsAsRelease);
      break;
    case 'leaseExpired':
      into
        .number(4, event.fencingToken)
        .number(7, event.retryAtMs)
        .number(19, begunWords.indexOf(event.begun));
      into.flag(20, event.alone).flag(21, event.countsAsLoss);
      break;
    case 'failed':
      into.number(4, event.fencingToken).number(7, event.retryAtMs);
      into.words(9, event.message).words(10, event.errorType);
      break;
    case 'snoozed':
      into.number(4, event.fencingToken).number(7, event.runAtMs);
      break;
    case 'succeeded':
      into.number(4, event.fencingToken).number(13, event.resultBytes);
      break;
    case 'died':
      into.number(4, event.fencingToken).number(8, deadReasons.indexOf(event.reason));
      into.words(9, event.message).words(10, event.errorType).flag(17, event.holdsLane);
      break;
    case 'cancelRequested':
      into.words(9, event.message).words(12, event.actor);
      break;
    case 'cancelled':
      into.number(4, event.fencingToken).words(9, event.message).words(12, event.actor);
      break;
    case 'redriven':
      into.words(12, event.actor).number(15, event.lifetimeEndAtMs);
      break;
    case 'laneReleased':
      into.words(12, event.actor);
  }
}

function writeEvent(into: Writer, event: TaskEvent): void {
  if (event.kind === 'unknown') {
    into.raw(event.bytes);
    return;
  }
  into.number(1, eventKinds.indexOf(event.kind)).number(2, eventSchema).number(3, event.atMs);
  writeRest(into, event);
}

function readFields(reader: Reader): EventFields {
  const read: { -readonly [K in keyof EventFields]: EventFields[K] } = {
    kind: 0,
    schema: 0,
    atMs: 0,
    fencingToken: undefined,
    attempt: 0,
    worker: '',
    runAtMs: undefined,
    deadReason: 0,
    message: '',
    errorType: '',
    timeoutAtMs: 0,
    actor: '',
    resultBytes: 0,
    deadlineAtMs: undefined,
    lifetimeEndAtMs: undefined,
    inLane: false,
    holdsLane: false,
    countsAsRelease: false,
    begun: 0,
    alone: false,
    countsAsLoss: false,
  };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) read.kind = reader.number();
    else if (field === 2) read.schema = reader.number();
    else if (field === 3) read.atMs = reader.number();
    else if (field === 4) read.fencingToken = reader.number();
    else if (field === 5) read.attempt = reader.number();
    else if (field === 6) read.worker = reader.string();
    else if (field === 7) read.runAtMs = reader.number();
    else if (field === 8) read.deadReason = reader.number();
    else if (field === 9) read.message = reader.string();
    else if (field === 10) read.errorType = reader.string();
    else if (field === 11) read.timeoutAtMs = reader.number();
    else if (field === 12) read.actor = reader.string();
    else if (field === 13) read.resultBytes = reader.number();
    else if (field === 14) read.deadlineAtMs = reader.number();
    else if (field === 15) read.lifetimeEndAtMs = reader.number();
    else if (field === 16) read.inLane = reader.flag();
    else if (field === 17) read.holdsLane = reader.flag();
    else if (field === 18) read.countsAsRelease = reader.flag();
    else if (field === 19) read.begun = reader.number();
    else if (field === 20) read.alone = reader.flag();
    else if (field === 21) read.countsAsLoss = reader.flag();
    else reader.skip();
  }
  return read;
}

function upcast(read: EventFields, table: ReadonlyMap<string, Upcast>): EventFields {
  let fields = read;
  for (let step = table.get(`${fields.kind}/${fields.schema}`); step !== undefined; ) {
    fields = { ...step(fields), schema: fields.schema + 1 };
    step = table.get(`${fields.kind}/${fields.schema}`);
  }
  return fields;
}

/**
 * Returns an event that this version cannot interpret, with its bytes unchanged, so that a newer version can read the
 * event.
 */
function unknown(read: EventFields, bytes: Uint8Array): TaskEvent {
  return { kind: 'unknown', kindNumber: read.kind, atMs: read.atMs, bytes: Uint8Array.from(bytes) };
}

function eventOf(read: EventFields, bytes: Uint8Array): TaskEvent {
  const { atMs, runAtMs, attempt, worker, timeoutAtMs, message, errorType, actor } = read;
  const fencingToken = read.fencingToken ?? 0;
  switch (eventKinds[read.kind]) {
    case 'submitted': {
      const { deadlineAtMs, lifetimeEndAtMs, inLane } = read;
      return { kind: 'submitted', atMs, runAtMs, deadlineAtMs, lifetimeEndAtMs, inLane };
    }
    case 'claimed': {
      const begins = read.begun === begunYes;
      return { kind: 'claimed', atMs, fencingToken, attempt, worker, timeoutAtMs, begins };
    }
    case 'claimReleased':
      return {
        kind: 'claimReleased',
        atMs,
        fencingToken,
        countsAsRelease: read.countsAsRelease,
        retryAtMs: runAtMs,
      };
    case 'leaseExpired': {
      const { alone, countsAsLoss } = read;
      const begun = begunWords[read.begun];
      return { kind: 'leaseExpired', atMs, fencingToken, begun, alone, countsAsLoss, retryAtMs: runAtMs };
    }
    case 'failed':
      return { kind: 'failed', atMs, fencingToken, retryAtMs: runAtMs ?? 0, message, errorType };
    case 'snoozed':
      return { kind: 'snoozed', atMs, fencingToken, runAtMs: runAtMs ?? 0 };
    case 'succeeded':
      return { kind: 'succeeded', atMs, fencingToken, resultBytes: read.resultBytes };
    case 'died': {
      const reason = deadReasons[read.deadReason];
      if (reason === undefined) return unknown(read, bytes);
      return {
        kind: 'died',
        atMs,
        fencingToken: read.fencingToken,
        reason,
        message,
        errorType,
        holdsLane: read.holdsLane,
      };
    }
    case 'cancelRequested':
      return { kind: 'cancelRequested', atMs, actor, message };
    case 'cancelled':
      return { kind: 'cancelled', atMs, fencingToken: read.fencingToken, actor, message };
    case 'redriven':
      return { kind: 'redriven', atMs, actor, lifetimeEndAtMs: read.lifetimeEndAtMs ?? 0 };
    case 'laneReleased':
      return { kind: 'laneReleased', atMs, actor };
    default:
      return unknown(read, bytes);
  }
}

/** Returns the bytes of one `holdfast.v1.TaskEvent`. */
export function encodeEvent(event: TaskEvent): Uint8Array<ArrayBuffer> {
  writer.reset();
  writeEvent(writer, event);
  return writer.finish();
}

export function decodeEvent(bytes: Uint8Array, table: ReadonlyMap<string, Upcast> = upcasts): TaskEvent {
  const read = readFields(new Reader(bytes));
  // An event of a known kind with a newer schema is kept as unknown, because its fields have another meaning than in
  // this version.
  return read.schema > eventSchema ? unknown(read, bytes) : eventOf(upcast(read, table), bytes);
}

/** Encodes a list of events, each as field 1, so that the bytes of two lists can be joined to one list. */
export function encodeEvents(events: readonly TaskEvent[]): Uint8Array<ArrayBuffer> {
  writer.reset();
  for (const event of events) writer.nested(1, (into) => writeEvent(into, event));
  return writer.finish();
}

export function decodeEvents(bytes: Uint8Array, table: ReadonlyMap<string, Upcast> = upcasts): TaskEvent[] {
  const events: TaskEvent[] = [];
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) events.push(decodeEvent(reader.bytes(), table));
    else reader.skip();
  }
  return events;
}

/** Splits an encoded list of events before its newest `count` events, without changing a byte. */
export function splitEvents(
  bytes: Uint8Array,
  count: number,
): { readonly older: Uint8Array; readonly newest: Uint8Array } {
  const ends = [0];
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field !== 1) reader.skip();
    else {
      const event = reader.bytes();
      ends.push(event.byteOffset + event.length - bytes.byteOffset);
    }
  }
  const end = ends[Math.max(0, ends.length - 1 - count)] ?? 0;
  return { older: bytes.subarray(0, end), newest: bytes.subarray(end) };
}
