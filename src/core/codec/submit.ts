import type { ItemError, SubmitBatch, SubmitBatchResult, SubmitItem, SubmitResult } from '../messages.ts';
import type { ShownState } from '../task/head.ts';
import { readItemError, writeItemError } from './item-error.ts';
import { decodeRequested, noOptions, writeOptions } from './options.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** The task states, each at the index of its number in `holdfast.v1.TaskState`. */
const states: readonly (ShownState | undefined)[] = [
  undefined,
  'scheduled',
  'ready',
  'running',
  'succeeded',
  'dead',
  'cancelled',
  'reserved',
];
const noBytes = new Uint8Array(0);

export function stateNumber(state: ShownState): number {
  return states.indexOf(state);
}

export function stateOf(number: number): ShownState {
  return states[number] ?? 'ready';
}

const writer = new Writer(65_536);

function writeItem(into: Writer, item: SubmitItem): void {
  into.string(1, item.key).message(2, item.spec);
  if (item.options !== noOptions) into.nested(3, (nested) => writeOptions(nested, item.options));
  into.string(4, item.traceparent);
}

function readItem(reader: Reader): SubmitItem {
  let key = '';
  let spec: Uint8Array = noBytes;
  let options = noOptions;
  let traceparent = '';
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) key = reader.string();
    else if (field === 2) spec = reader.bytes();
    else if (field === 3) options = decodeRequested(reader.bytes());
    else if (field === 4) traceparent = reader.string();
    else reader.skip();
  }
  return { key, spec, options, traceparent };
}

/**
 * The maximum number of bytes that the numbers of one submission and the framing of its fields take in an encoded
 * batch.
 */
const numbersBytes = 256;
/** The maximum number of UTF-8 bytes that one UTF-16 code unit becomes. */
const unitBytes = 3;
const tagFramingBytes = 3;

/**
 * Returns an upper bound for the size of one submission in an encoded batch, in bytes, without encoding the submission.
 */
export function mostItemBytes({ key, spec, options, traceparent }: SubmitItem): number {
  const { tags, parentId = '' } = options;
  const ids = (key.length + parentId.length + traceparent.length) * unitBytes;
  let tagBytes = 0;
  for (const tag of tags) tagBytes += tag.length * unitBytes + tagFramingBytes;
  return spec.length + ids + tagBytes + numbersBytes;
}

/** Writes the fields of a `holdfast.v1.SubmitTasksRequest`. Each spec is copied unchanged. */
export function writeSubmitBatch(into: Writer, batch: SubmitBatch): void {
  into.string(1, batch.tenant).string(2, batch.queue);
  for (const item of batch.items) into.nested(3, (nested) => writeItem(nested, item));
}

/** Returns the bytes of a `holdfast.v1.SubmitTasksRequest`. */
export function encodeSubmitBatch(batch: SubmitBatch): Uint8Array<ArrayBuffer> {
  writeSubmitBatch(writer.reset(), batch);
  return writer.finish();
}

/** Decodes a batch of submissions. The specs in the result are views of `bytes`, not copies. */
export function decodeSubmitBatch(bytes: Uint8Array): SubmitBatch {
  return readSubmitBatch(new Reader(bytes));
}

export function readSubmitBatch(reader: Reader): SubmitBatch {
  let tenant = '';
  let queue = '';
  const items: SubmitItem[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) tenant = reader.string();
    else if (field === 2) queue = reader.string();
    else if (field === 3) items.push(readItem(reader.nested()));
    else reader.skip();
  }
  return { tenant, queue, items };
}

export function writeResult(into: Writer, result: SubmitResult): void {
  if (result.error !== undefined) {
    const { error } = result;
    into.nested(5, (nested) => writeItemError(nested, error));
    return;
  }
  into.string(1, result.id).flag(2, result.deduplicated);
  into.number(3, stateNumber(result.state)).number(4, result.version);
}

export function readResult(reader: Reader): SubmitResult {
  let id = '';
  let deduplicated = false;
  let state: ShownState = 'ready';
  let version = 0;
  let error: ItemError | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) id = reader.string();
    else if (field === 2) deduplicated = reader.flag();
    else if (field === 3) state = stateOf(reader.number());
    else if (field === 4) version = reader.number();
    else if (field === 5) error = readItemError(reader.nested());
    else reader.skip();
  }
  return error === undefined ? { id, deduplicated, state, version, error } : { error };
}

/** Returns the bytes of a `holdfast.v1.SubmitTasksResponse`. */
export function encodeSubmitResult(result: SubmitBatchResult): Uint8Array<ArrayBuffer> {
  writer.reset();
  for (const one of result.results) writer.nested(1, (into) => writeResult(into, one));
  return writer.finish();
}

export function decodeSubmitResult(bytes: Uint8Array): SubmitBatchResult {
  const results: SubmitResult[] = [];
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) results.push(readResult(reader.nested()));
    else reader.skip();
  }
  return { results };
}
