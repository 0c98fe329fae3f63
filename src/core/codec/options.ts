import { invalid } from '../errors.ts';
import type { Options, OptionsRequest, Priority, RetryPolicy } from '../submission/submission.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const priorityNumbers: readonly (Priority | undefined)[] = [undefined, 'high', 'normal', 'low'];
const whenDeadNumbers: readonly ('return' | 'retry' | undefined)[] = [undefined, 'return', 'retry'];

/** Nothing was asked for; shared, since most submissions ask for nothing. */
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
});

function writeRetry(into: Writer, retry: Partial<RetryPolicy>): void {
  into.number(1, retry.maxAttempts).number(2, retry.baseMs).double(3, retry.factor).number(4, retry.maxMs);
}

/** A word without a number is refused by its name: no number could say it. */
function numberOf<W extends string>(words: readonly (W | undefined)[], word: W | undefined, field: string) {
  const number = words.indexOf(word);
  if (number >= 0) return number;
  throw invalid([{ field, description: `is ${word}; one of ${words.slice(1).join(', ')}` }]);
}

/** The bytes of a `holdfast.v1.SubmitOptions`. */
export function writeOptions(into: Writer, asked: OptionsRequest): void {
  into.number(1, asked.runAtMs).number(2, asked.delayMs).number(3, asked.deadlineAtMs);
  into.number(4, asked.lifetimeMs).number(5, asked.retentionMs).number(6, asked.windowMs);
  into.number(7, numberOf(priorityNumbers, asked.priority, 'priority'));
  const { retry } = asked;
  if (retry !== undefined) into.nested(8, (nested) => writeRetry(nested, retry));
  into.number(9, asked.attemptTimeoutMs);
  for (const tag of asked.tags) into.text(10, tag);
  into.string(11, asked.parentId);
  into.number(12, numberOf(whenDeadNumbers, asked.whenDead, 'whenDead'));
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

/** A number that no name stands for is read as its digits: no rule knows that word, so the validator refuses it. */
function wordOf<W extends string>(words: readonly (W | undefined)[], number: number): W | undefined {
  return number >= 0 && number < words.length ? words[number] : (String(number) as W);
}

/** Zero on the wire is "not said". */
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
    else if (field === 7) read.priority = wordOf(priorityNumbers, reader.number());
    else if (field === 8) read.retry = readRetry(reader.nested());
    else if (field === 9) read.attemptTimeoutMs = reader.number() || undefined;
    else if (field === 10) tags.push(reader.string());
    else if (field === 11) read.parentId = reader.string() || undefined;
    else if (field === 12) read.whenDead = wordOf(whenDeadNumbers, reader.number());
    else reader.skip();
  }
  return read;
}

const writer = new Writer();
/** Beside the public message's fields: the submission named its lifetime itself. */
const ownLifetimeField = 100;
const remembered = 64;
const decoded = new Map<string, Options>();
let lastEncoded: { readonly options: Options; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;

/** Resolved options as an engine stores them. Most submissions share one object, so the last one is remembered. */
export function encodeOptions(options: Options): Uint8Array<ArrayBuffer> {
  if (lastEncoded?.options === options) return lastEncoded.bytes;
  writer.reset();
  writeOptions(writer, { ...options, delayMs: undefined });
  const bytes = writer.flag(ownLifetimeField, options.ownLifetime).finish();
  lastEncoded = { options, bytes };
  return bytes;
}

function decode(bytes: Uint8Array): Options {
  const asked = readOptions(new Reader(bytes));
  let ownLifetime = false;
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === ownLifetimeField) ownLifetime = reader.flag();
    else reader.skip();
  }
  const { maxAttempts = 0, baseMs = 0, factor = 0, maxMs = 0 } = asked.retry ?? {};
  return {
    runAtMs: asked.runAtMs,
    deadlineAtMs: asked.deadlineAtMs,
    lifetimeMs: asked.lifetimeMs ?? 0,
    ownLifetime,
    retentionMs: asked.retentionMs ?? 0,
    windowMs: asked.windowMs ?? 0,
    priority: asked.priority ?? 'normal',
    retry: { maxAttempts, baseMs, factor, maxMs },
    attemptTimeoutMs: asked.attemptTimeoutMs ?? 0,
    tags: asked.tags,
    parentId: asked.parentId,
    whenDead: asked.whenDead ?? 'return',
  };
}

/** Most tasks have the same options, so the last few different ones are remembered by their bytes. */
export function decodeOptions(bytes: Uint8Array): Options {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const known = decoded.get(key);
  if (known !== undefined) return known;
  const options = decode(bytes);
  if (decoded.size >= remembered) decoded.clear();
  decoded.set(key, options);
  return options;
}
