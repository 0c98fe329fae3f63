import { crc32 } from 'node:zlib';
import type { Priority } from '../../../core/priority.ts';
import type { Submission } from '../../../core/submission/submission.ts';
import type { Head } from '../../../core/task/head.ts';

/**
 * Checksums of a task's row. SQLite notices no changed byte within a value, so that a worker would run a task that nobody
 * submitted, or run a task again that has ended.
 */

/** The fields of a submission that have a column each and never change. */
export type Identity = Pick<
  Submission,
  'scope' | 'type' | 'typeVersion' | 'orderingKey' | 'acceptedAtMs' | 'expiresAtMs'
> & { readonly options: { readonly priority: Priority } };

/** Returns the checksum of what identifies a task and never changes. The checksum of its stored body begins with it. */
export function identityChecksum(seq: number, submission: Identity): number {
  const { scope, type, typeVersion, options, acceptedAtMs, expiresAtMs, orderingKey } = submission;
  const named = namesChecksum(scope.tenant, scope.queue, type, options.priority);
  const lane = orderingKey === undefined ? '' : `${orderingKey.length} ${orderingKey}`;
  let sum = crc32(`${lane} ${scope.key}`, named);
  sum = mixed(sum, seq);
  sum = mixed(sum, acceptedAtMs);
  sum = mixed(sum, expiresAtMs);
  return mixed(sum, typeVersion) >>> 0;
}

let lastNames = { tenant: '', queue: '', type: '', priority: '', sum: crc32('    ') };

/** Returns the checksum of the names of a task, which that of its keys continues. Most tasks that follow each other share them. */
function namesChecksum(tenant: string, queue: string, type: string, priority: Priority): number {
  const last = lastNames;
  if (queue === last.queue && type === last.type && priority === last.priority && tenant === last.tenant)
    return last.sum;
  const sum = crc32(`${tenant} ${queue} ${type} ${priority} `);
  lastNames = { tenant, queue, type, priority, sum };
  return sum;
}

/** A checksum is kept in 31 bits, so that it takes 4 bytes in a row and SQL can compute with it. */
export const sumMask = 0x7fffffff;
/** The factors with which SQL adds the revision and the place in the lane, which only it knows, to a task's checksum. */
export const revisionFactor = 65_599;
export const laneFactor = 40_503;

/** Returns the checksum of a task's current state: `part` with the two columns that SQL adds when it writes the state. */
export function headSumOf(part: number, revision: number, laneSeq: number | null): number {
  const added = (revision * revisionFactor + (laneSeq ?? 0) * laneFactor) % (sumMask + 1);
  return (part + added) % (sumMask + 1);
}

/** The fields of a task's current state that have columns. */
type CheckedHead = Omit<Head, 'lastEventAtMs'>;

/** Returns the part of the checksum of a task's current state that does not need its revision and its place in a lane. */
export function headChecksum(
  seq: number,
  state: number,
  flags: number,
  head: CheckedHead,
  progress: string | null,
): number {
  let sum = mixed(textChecksum(head.worker, head.lastError), seq);
  sum = mixed(sum, state);
  sum = mixed(sum, flags);
  sum = mixed(sum, head.version);
  sum = mixed(sum, head.fencingToken);
  sum = mixed(sum, head.attempt);
  sum = mixed(sum, head.releases);
  sum = mixed(sum, head.losses);
  sum = mixed(sum, head.waitUntilMs ?? none);
  sum = mixed(sum, head.deadlineAtMs ?? none);
  sum = mixed(sum, head.lifetimeEndAtMs ?? none);
  sum = mixed(sum, head.leaseEndAtMs ?? none);
  sum = mixed(sum, head.timeoutAtMs ?? none);
  sum = mixed(sum, head.endedAtMs ?? none);
  sum = mixed(sum, progress === null ? none : crc32(progress));
  sum = mixed(sum, secretChecksum(head.leaseSecret));
  return (sum ^ (sum >>> 15)) & sumMask;
}

const none = -1;
const lowBits = 2 ** 32;

/**
 * Adds a whole number of up to 53 bits to a checksum of 32 bits. The factors are odd, so that a change of one half of one number
 * always changes the sum. A call of `crc32` for all numbers would take several times as long.
 */
function mixed(sum: number, number: number): number {
  return (
    (Math.imul(sum, 0x01000193) + (number | 0) + Math.imul(Math.floor(number / lowBits), 0x5bd1e995)) | 0
  );
}

let lastWorker = '';
let lastError = '';
let lastSum = crc32(' ');

/** Returns the checksum of the two texts of a head. Most heads that follow each other have the same ones. */
function textChecksum(worker: string, error: string): number {
  if (worker !== lastWorker || error !== lastError) {
    lastWorker = worker;
    lastError = error;
    lastSum = crc32(`${worker} ${error}`);
  }
  return lastSum;
}

/** Returns a checksum of the few characters of a lease's secret. For so short a text a call of `crc32` takes five times as long. */
function secretChecksum(secret: string): number {
  let sum = secret.length;
  for (let index = 0; index < secret.length; index++)
    sum = (Math.imul(sum, base) + secret.charCodeAt(index)) | 0;
  return sum;
}

/** The checksum of a list of encoded events, and the factor by which the checksum of the events before it is multiplied. */
export interface EventsChecksum {
  readonly sum: number;
  readonly factor: number;
}

const base = 31;

/** Returns the length of the event that begins at `at`, with its field number and its length before it. */
function eventLength(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let index = at + 1, shift = 0; index < bytes.length; index++, shift += 7) {
    const byte = bytes[index] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return index + 1 - at + length;
  }
  return bytes.length - at;
}

/**
 * Returns the checksum of encoded events. The checksum of two joined lists is `(first.sum * second.factor + second.sum) &
 * sumMask`, so that SQL computes it for the events that it appends without reading those before them.
 */
export function eventsChecksum(bytes: Uint8Array): EventsChecksum {
  let sum = 0;
  let factor = 1;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + Math.max(1, eventLength(bytes, at)));
    const event = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
    sum = (Math.imul(sum, base) + (crc32(event) >>> 1)) & sumMask;
    factor = Math.imul(factor, base) & sumMask;
    at = end;
  }
  return { sum, factor };
}

/** Returns the checksum of bytes that belong to a task: its result, or a part of its archived events. */
export function bytesChecksum(seq: number, bytes: Uint8Array): number {
  return crc32(bytes, seq >>> 0) | 0;
}

/** Returns the checksum of an entry of the registry. */
export function registryChecksum(kind: string, key: string, rev: number, value: string): number {
  return crc32(`${kind} ${key} ${rev} ${value}`) | 0;
}
