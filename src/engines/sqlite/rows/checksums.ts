import { crc32 } from 'node:zlib';
import type { Priority } from '../../../core/priority.ts';
import type { Submission } from '../../../core/submission/submission.ts';
import type { Head } from '../../../core/task/head.ts';

/**
 * Checksums of a task's row. SQLite notices no changed byte within a value, so that a worker would run a task that nobody
 * submitted, or run a task again that has ended.
 */

/** The fields of a submission that have a column each and never change. */
type Identity = Pick<
  Submission,
  'scope' | 'type' | 'typeVersion' | 'orderingKey' | 'acceptedAtMs' | 'expiresAtMs'
> & { readonly options: { readonly priority: Priority } };

/** Returns the checksum of what identifies a task and never changes. The checksum of its stored body begins with it. */
export function identityChecksum(seq: number, submission: Identity): number {
  const { scope, type, typeVersion, options, acceptedAtMs, expiresAtMs, orderingKey } = submission;
  const lane = orderingKey === undefined ? '' : `${orderingKey.length}:${orderingKey}`;
  return crc32(
    `${seq} ${acceptedAtMs} ${expiresAtMs} ${options.priority} ${scope.tenant} ${scope.queue} ${type} ${typeVersion} ${lane} ${scope.key}`,
  );
}

const none = -1;
const numbers = new Float64Array(15);
const bytesOfNumbers = Buffer.from(numbers.buffer);

/** The fields of a head that have a column each. The flags and the progress are checked as they are stored. */
type CheckedHead = Omit<Head, 'state' | 'revision' | 'progress' | 'deadReason'>;

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

/** Returns the part of the checksum of a task's current state that does not need its revision and its place in a lane. */
export function headChecksum(
  seq: number,
  state: number,
  flags: number,
  head: CheckedHead,
  progress: string | null,
): number {
  numbers[0] = seq;
  numbers[1] = state;
  numbers[2] = flags;
  numbers[3] = head.version;
  numbers[4] = head.fencingToken;
  numbers[5] = head.attempt;
  numbers[6] = head.releases;
  numbers[7] = head.losses;
  numbers[8] = head.waitUntilMs ?? none;
  numbers[9] = head.deadlineAtMs ?? none;
  numbers[10] = head.lifetimeEndAtMs ?? none;
  numbers[11] = head.leaseEndAtMs ?? none;
  numbers[12] = head.timeoutAtMs ?? none;
  numbers[13] = head.endedAtMs ?? none;
  numbers[14] = progress === null ? 0 : crc32(progress);
  return crc32(`${head.worker} ${head.lastError}`, crc32(bytesOfNumbers)) & sumMask;
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
