import { invalid } from '../errors.ts';
import { defaults, limits } from '../limits.ts';
import { Memo } from '../memo.ts';
import { notOneOf } from '../rules.ts';
import {
  isRepeatable,
  type Options,
  type OptionsRequest,
  type RetryPolicy,
} from '../submission/submission.ts';
import { priorityNumbers, whenDeadNumbers, wordsByNumber } from '../wire-numbers.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const priorityWords = wordsByNumber(priorityNumbers);
const whenDeadWords = wordsByNumber(whenDeadNumbers);

/** The options of a submission that sets none. All decoded submissions without options share this one object. */
export const noOptions: OptionsRequest = Object.freeze({
  runAtMs: undefined,
  delayMs: undefined,
  deadlineAtMs: undefined,
  lifetimeMs: undefined,
  retentionMs: undefined,
  windowMs: undefined,
  priority: undefined,
  retry: undefined,
  attemptTimeoutMs: undefined,
  tags: Object.freeze([]),
  parentId: undefined,
  whenDead: undefined,
  maxLosses: undefined,
});

function writeRetry(into: Writer, retry: Partial<RetryPolicy>): void {
  into.number(1, retry.maxAttempts).number(2, retry.baseMs).double(3, retry.factor).number(4, retry.maxMs);
}

/** Returns the wire number of an enum word. Throws INVALID_ARGUMENT for a word that has no number. */
function numberOf<W extends string>(words: readonly (W | undefined)[], word: W | undefined, field: string) {
  const number = words.indexOf(word);
  if (number >= 0) return number;
  throw invalid([{ field, description: notOneOf(word, words.slice(1)) }]);
}

/** Writes a `holdfast.v1.SubmitOptions`. */
export function writeOptions(into: Writer, requested: OptionsRequest): void {
  into.number(1, requested.runAtMs).number(2, requested.delayMs).number(3, requested.deadlineAtMs);
  into.number(4, requested.lifetimeMs).number(5, requested.retentionMs).number(6, requested.windowMs);
  into.number(7, numberOf(priorityWords, requested.priority, 'priority'));
  const { retry } = requested;
  if (retry !== undefined) into.nested(8, (nested) => writeRetry(nested, retry));
  into.number(9, requested.attemptTimeoutMs);
  for (const tag of requested.tags) into.text(10, tag);
  into.string(11, requested.parentId);
  into.number(12, numberOf(whenDeadWords, requested.whenDead, 'whenDead')).number(13, requested.maxLosses);
}

function readRetry(reader: Reader): Partial<RetryPolicy> {
  const read: { -readonly [K in keyof RetryPolicy]?: RetryPolicy[K] } = {};
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) read.maxAttempts = reader.number();
    else if (field === 2) read.baseMs = reader.number();
    else if (field === 3) read.factor = reader.double();
    else if (field === 4) read.maxMs = reader.number();
    else reader.skip();
  }
  return read;
}

/**
 * Returns the enum word of a wire number. An unknown number becomes text with its digits, which the validator refuses.
 */
function wordOf<W extends string>(words: readonly (W | undefined)[], number: number): W | undefined {
  return number >= 0 && number < words.length ? words[number] : (String(number) as W);
}

/** Reads a `holdfast.v1.SubmitOptions`. A zero on the wire stands for an absent option. */
export function readOptions(reader: Reader): OptionsRequest {
  const tags: string[] = [];
  const read: { -readonly [K in keyof OptionsRequest]: OptionsRequest[K] } = { ...noOptions, tags };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) read.runAtMs = reader.number() || undefined;
    else if (field === 2) read.delayMs = reader.number() || undefined;
    else if (field === 3) read.deadlineAtMs = reader.number() || undefined;
    else if (field === 4) read.lifetimeMs = reader.number() || undefined;
    else if (field === 5) read.retentionMs = reader.number() || undefined;
    else if (field === 6) read.windowMs = reader.number() || undefined;
    else if (field === 7) read.priority = wordOf(priorityWords, reader.number());
    else if (field === 8) read.retry = readRetry(reader.nested());
    else if (field === 9) read.attemptTimeoutMs = reader.number() || undefined;
    else if (field === 10) tags.push(reader.string());
    else if (field === 11) read.parentId = reader.string() || undefined;
    else if (field === 12) read.whenDead = wordOf(whenDeadWords, reader.number());
    else if (field === 13) read.maxLosses = reader.number() || undefined;
    else reader.skip();
  }
  return read;
}

const requests = new Memo<string, OptionsRequest>(limits.rememberedOptions);

/** Decodes a `holdfast.v1.SubmitOptions`. Equal bytes give the same object, unless they have a time or a parent. */
export function decodeRequested(bytes: Uint8Array): OptionsRequest {
  if (bytes.length > limits.rememberedOptionBytes) return readOptions(new Reader(bytes));
  const key = textOf(bytes);
  const known = requests.get(key);
  if (known !== undefined) return known;
  const read = readOptions(new Reader(bytes));
  return isRepeatable(read) ? requests.set(key, read) : read;
}

/** Returns the bytes as a text that identifies them. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

const writer = new Writer();
/**
 * The protobuf field number of `ownLifetime`, which is true if the submission set its own lifetime. The store writes this
 * field beside the fields of `holdfast.v1.SubmitOptions`; it is never sent.
 */
const ownLifetimeField = 100;
const decoded = new Memo<string, Options>(limits.rememberedOptions);
const encoded = new Memo<Options, Uint8Array<ArrayBuffer>>(limits.rememberedOptions);

/** Encodes the resolved options of a submission for storage. An object that several submissions share is encoded once. */
export function encodeOptions(options: Options): Uint8Array<ArrayBuffer> {
  const known = encoded.get(options);
  if (known !== undefined) return known;
  const bytes = encode(options);
  return isRepeatable(options) ? encoded.set(options, bytes) : bytes;
}

function encode(options: Options): Uint8Array<ArrayBuffer> {
  writer.reset();
  writeOptions(writer, { ...options, delayMs: undefined });
  return writer.flag(ownLifetimeField, options.ownLifetime).finish();
}

function decode(bytes: Uint8Array): Options {
  const requested = readOptions(new Reader(bytes));
  let ownLifetime = false;
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === ownLifetimeField) ownLifetime = reader.flag();
    else reader.skip();
  }
  const { maxAttempts = 0, baseMs = 0, factor = 0, maxMs = 0 } = requested.retry ?? {};
  return {
    runAtMs: requested.runAtMs,
    deadlineAtMs: requested.deadlineAtMs,
    lifetimeMs: requested.lifetimeMs ?? 0,
    ownLifetime,
    retentionMs: requested.retentionMs ?? 0,
    windowMs: requested.windowMs ?? 0,
    priority: requested.priority ?? 'normal',
    retry: { maxAttempts, baseMs, factor, maxMs },
    attemptTimeoutMs: requested.attemptTimeoutMs ?? 0,
    tags: requested.tags,
    parentId: requested.parentId,
    whenDead: requested.whenDead ?? 'return',
    maxLosses: requested.maxLosses ?? defaults.maxLosses,
  };
}

/** Decodes stored options of a task. Equal bytes give the same object, because most tasks have the same options. */
export function decodeOptions(bytes: Uint8Array): Options {
  if (bytes.length > limits.rememberedOptionBytes) return decode(bytes);
  const key = textOf(bytes);
  return decoded.get(key) ?? decoded.set(key, decode(bytes));
}
