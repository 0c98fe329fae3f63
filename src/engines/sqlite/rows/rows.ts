import { crc32 } from 'node:zlib';
import { decodeEvents, encodeEvents } from '../../../core/codec/event.ts';
import { decodeOptions, encodeOptions } from '../../../core/codec/options.ts';
import { type Priority, priorities } from '../../../core/priority.ts';
import type { Submission } from '../../../core/submission/submission.ts';
import { deadReasons, type SubmittedEvent } from '../../../core/task/event.ts';
import type { Head, Progress, StoredState } from '../../../core/task/head.ts';
import type { Snapshot, TaskId } from '../../../ports/task-store.ts';
import { damagedTask } from '../file/failures.ts';
import { eventsChecksum, headChecksum, headSumOf, type Identity, identityChecksum } from './checksums.ts';
import { idOf } from './ids.ts';
import type { InternedNames } from './interned-names.ts';

export const scheduled = 0;
export const ready = 1;
export const running = 2;

const inLane = 1;
const handOver = 2;
const holdsLane = 4;
const cancelRequested = 8;
/**
 * The flag of a task that waits for its next attempt after a failure. The index `task_retrying` in schema.ts selects
 * rows by this bit.
 */
const retrying = 16;
/** The flag of a running task whose handler was called, as a claim or a heartbeat has recorded it. */
export const begun = 32;
const deadReasonShift = 8;

const storedStates: readonly StoredState[] = [
  'waiting',
  'waiting',
  'running',
  'succeeded',
  'dead',
  'cancelled',
];
const priorityNumbers: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 };

export function priorityNumber(priority: Priority): number {
  return priorityNumbers[priority];
}

export function stateNumber(head: Head): number {
  switch (head.state) {
    case 'waiting':
      return head.waitUntilMs === undefined ? ready : scheduled;
    case 'running':
      return running;
    case 'succeeded':
      return 3;
    case 'dead':
      return 4;
    case 'cancelled':
      return 5;
  }
}

export function flagsOf(head: Head): number {
  return (
    (head.inLane ? inLane : 0) |
    (head.handOver ? handOver : 0) |
    (head.holdsLane ? holdsLane : 0) |
    (head.cancelRequested ? cancelRequested : 0) |
    (head.retrying ? retrying : 0) |
    (head.begun ? begun : 0) |
    (head.deadReason === undefined ? 0 : deadReasons.indexOf(head.deadReason) << deadReasonShift)
  );
}

export function progressText(progress: Progress | undefined): string | null {
  return progress === undefined ? null : JSON.stringify([progress.fraction, progress.note]);
}

function progressOf(text: string | null): Progress | undefined {
  if (text === null) return undefined;
  const [fraction, note] = JSON.parse(text) as [number, string];
  return { fraction, note };
}

/** The columns from which `snapshotOf` decodes a task, in the order of the type `Row`. */
export const columns = `t.seq, t.queue, t.task_type, t.priority, t.accepted_at, t.expires_at, t.key, t.lane_seq, t.ordering_key,
 t.state, t.revision, t.version, t.fencing_token, t.attempt, t.releases, t.losses, t.flags, t.wait_until, t.deadline,
 t.lifetime_end, t.lease_end, t.timeout_at, t.worker, t.ended_at, t.last_error, t.progress,
 nullif(t.events, x''), b.body, t.lease_secret, t.head_sum, t.events_sum`;

export type Row = [
  seq: number,
  queue: number,
  taskType: number,
  priority: number,
  acceptedAt: number,
  expiresAt: number,
  key: string,
  laneSeq: number | null,
  orderingKey: string | null,
  state: number,
  revision: number,
  version: number,
  fencingToken: number,
  attempt: number,
  releases: number,
  losses: number,
  flags: number,
  waitUntil: number | null,
  deadline: number | null,
  lifetimeEnd: number | null,
  leaseEnd: number | null,
  timeoutAt: number | null,
  worker: string,
  endedAt: number | null,
  lastError: string,
  progress: string | null,
  events: Uint8Array | null,
  body: Uint8Array | null,
  leaseSecret: string,
  headSum: number | null,
  eventsSum: number | null,
];

/** Returns whether the task waits for its next attempt after a failure. */
export function isRetrying(row: Row): boolean {
  return row[9] <= ready && (row[16] & retrying) !== 0;
}

function headOf(row: Row, lastEventAtMs: number): Head {
  const flags = row[16];
  return {
    state: storedStates[row[9]] as StoredState,
    revision: row[10],
    version: row[11],
    lastEventAtMs,
    fencingToken: row[12],
    leaseSecret: row[28],
    attempt: row[13],
    releases: row[14],
    losses: row[15],
    waitUntilMs: row[17] ?? undefined,
    deadlineAtMs: row[18] ?? undefined,
    lifetimeEndAtMs: row[19] ?? undefined,
    inLane: (flags & inLane) !== 0,
    handOver: (flags & handOver) !== 0,
    holdsLane: (flags & holdsLane) !== 0,
    leaseEndAtMs: row[20] ?? undefined,
    timeoutAtMs: row[21] ?? undefined,
    begun: (flags & begun) !== 0,
    worker: row[22],
    cancelRequested: (flags & cancelRequested) !== 0,
    retrying: (flags & retrying) !== 0,
    endedAtMs: row[23] ?? undefined,
    deadReason: deadReasons[flags >> deadReasonShift],
    lastError: row[24],
    progress: progressOf(row[25]),
  };
}

/** The size in bytes of the header of an encoded submission: a CRC-32 and three lengths. */
const headerBytes = 10;
/** The bit in the length of the options by which a body says that its CRC-32 covers the task's identity too. */
const coversIdentity = 0x8000;

let lastSubmitted: { readonly event: SubmittedEvent; readonly bytes: Uint8Array } | undefined;

/** Returns the encoded first event of a task. Tasks that are submitted together share one. */
function encodeSubmitted(event: SubmittedEvent): Uint8Array {
  if (lastSubmitted?.event !== event) lastSubmitted = { event, bytes: encodeEvents([event]) };
  return lastSubmitted.bytes;
}

/** The buffer in which each body is encoded. It grows to the largest body. */
let bodyBuffer = Buffer.allocUnsafe(4_096);

/**
 * Encodes the parts of a submission that have no column: a CRC-32, three lengths, the options, the first event, the
 * traceparent and the spec. These parts share one blob because each blob that is read costs as much as ten other
 * columns. The CRC-32 finds changed bytes here and in the columns of the task's identity.
 *
 * The result is valid until the next call, so that no memory is allocated for each task: SQLite copies what is bound.
 */
export function encodeBody(seq: number, submission: Submission): Uint8Array {
  const options = encodeOptions(submission.options);
  const submitted = encodeSubmitted(submission.submitted);
  const { spec, traceparent } = submission;
  const traceBytes = Buffer.byteLength(traceparent);
  const length = headerBytes + options.length + submitted.length + traceBytes + spec.length;
  if (bodyBuffer.length < length) bodyBuffer = Buffer.allocUnsafe(length);
  const body = bodyBuffer;
  body.writeUInt16LE(options.length | coversIdentity, 4);
  body.writeUInt16LE(submitted.length, 6);
  body.writeUInt16LE(traceBytes, 8);
  let at = headerBytes;
  body.set(options, at);
  at += options.length;
  body.set(submitted, at);
  at += submitted.length;
  if (traceBytes > 0) at += body.write(traceparent, at);
  body.set(spec, at);
  body.writeUInt32LE(crc32(body.subarray(4, length), identityChecksum(seq, submission)), 0);
  return body.subarray(0, length);
}

/** Returns the part of the checksum of a task's current state to which SQL adds the revision and the place in the lane. */
export function headPart(seq: number, head: Head): number {
  return headChecksum(seq, stateNumber(head), flagsOf(head), head, progressText(head.progress));
}

const noBytes = new Uint8Array(0);

/** A body whose checksum matches, where its parts end, and the fields of the submission that have columns. */
interface CheckedBody {
  readonly body: Buffer;
  readonly optionsEnd: number;
  readonly submittedEnd: number;
  readonly traceEnd: number;
  readonly own: Identity;
}

/** Reads the body of a task. Returns undefined if its checksum does not match. */
function bodyOf(row: Row, names: InternedNames): CheckedBody | undefined {
  const [seq, queueId, taskTypeId, priority, acceptedAtMs, expiresAtMs, key] = row;
  if (row[27] === null || !names.has(queueId, taskTypeId)) return undefined;
  const queue = names.queueOf(queueId);
  const taskType = names.taskTypeOf(taskTypeId);
  const body = Buffer.from(row[27].buffer, row[27].byteOffset, row[27].byteLength);
  if (body.length < headerBytes) return undefined;
  const optionsBytes = body.readUInt16LE(4);
  const optionsEnd = headerBytes + (optionsBytes & ~coversIdentity);
  const submittedEnd = optionsEnd + body.readUInt16LE(6);
  const traceEnd = submittedEnd + body.readUInt16LE(8);
  const own = {
    scope: { tenant: queue.tenant, queue: queue.queue, key },
    type: taskType.type,
    typeVersion: taskType.version,
    orderingKey: row[8] ?? undefined,
    options: { priority: priorities[priority] as Priority },
    acceptedAtMs,
    expiresAtMs,
  };
  const before = (optionsBytes & coversIdentity) === 0 ? 0 : identityChecksum(seq, own);
  if (crc32(body.subarray(4), before) !== body.readUInt32LE(0)) return undefined;
  return { body, optionsEnd, submittedEnd, traceEnd, own };
}

function submissionOf({ body, optionsEnd, submittedEnd, traceEnd, own }: CheckedBody): Submission {
  const options = decodeOptions(body.subarray(headerBytes, optionsEnd));
  return {
    scope: own.scope,
    spec: body.subarray(traceEnd),
    type: own.type,
    typeVersion: own.typeVersion,
    orderingKey: own.orderingKey,
    options: { ...options, priority: own.options.priority },
    traceparent: traceEnd === submittedEnd ? '' : body.toString('utf8', submittedEnd, traceEnd),
    acceptedAtMs: own.acceptedAtMs,
    expiresAtMs: own.expiresAtMs,
    submitted: decodeEvents(body.subarray(optionsEnd, submittedEnd))[0] as SubmittedEvent,
  };
}

/** The columns that have a number in each row, and those that have a text. */
const numbers = [1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16] as const;
const texts = [6, 22, 24, 28] as const;

/**
 * Returns whether the values have the types of their columns. A changed byte may make a number NULL, or a text a blob, and
 * checksums count NULL as 0.
 */
function hasOwnTypes(row: Row): boolean {
  for (const column of numbers) if (typeof row[column] !== 'number') return false;
  for (const column of texts) if (typeof row[column] !== 'string') return false;
  return row[8] === null ? row[7] === null : typeof row[7] === 'number';
}

function areOwnEvents(row: Row): boolean {
  return row[30] === null || row[30] === eventsChecksum(row[26] ?? noBytes).sum;
}

function isOwnHead(row: Row, head: Head): boolean {
  if (head.state === undefined) return false;
  if (row[29] === null) return true;
  return row[29] === headSumOf(headChecksum(row[0], row[9], row[16], head, row[25]), row[10], row[7]);
}

function checkedSnapshotOf(row: Row, names: InternedNames, id: TaskId): Snapshot | undefined {
  const body = hasOwnTypes(row) ? bodyOf(row, names) : undefined;
  if (body === undefined || !areOwnEvents(row)) return undefined;
  const submission = submissionOf(body);
  const tip = row[26] === null ? [] : decodeEvents(row[26]);
  const head = headOf(row, tip.at(-1)?.atMs ?? submission.submitted.atMs);
  if (!isOwnHead(row, head)) return undefined;
  return { id, submission, laneSeq: row[7] ?? undefined, head, tip };
}

/** Returns what `read` returns. Throws STORE_CORRUPT if it returns undefined or throws. */
function orDamaged<T>(row: Row, read: (id: TaskId) => T | undefined): T {
  const id = idOf(row[0], Number(row[4]));
  let found: T | undefined;
  try {
    found = read(id);
  } catch (thrown) {
    throw damagedTask(id, thrown);
  }
  if (found === undefined) throw damagedTask(id);
  return found;
}

/** Throws STORE_CORRUPT if a checksum of a task's row does not match. A third of the work of `snapshotOf`. */
export function checkRow(row: Row, names: InternedNames): void {
  orDamaged(row, () => {
    const isOwn = hasOwnTypes(row) && bodyOf(row, names) !== undefined;
    return (isOwn && areOwnEvents(row) && isOwnHead(row, headOf(row, 0))) || undefined;
  });
}

/**
 * Decodes a task's row into a snapshot. Throws STORE_CORRUPT if a checksum does not match, or if the row cannot be decoded.
 * Rows of earlier versions have no checksum of their state, and one of their submission without its identity.
 */
export function snapshotOf(row: Row, names: InternedNames): Snapshot {
  return orDamaged(row, (id) => checkedSnapshotOf(row, names, id));
}
