/**
 * Every limit of Holdfast, in one place. Each engine enforces them, so that the embedded store never
 * accepts what the cloud would refuse. Bytes are UTF-8 bytes, characters are UTF-16 units, times are ms.
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

export interface Limits {
  /** Payload of a task, in bytes, as sent. An SQS message and a DynamoDB item must still hold it. */
  readonly payloadBytes: number;
  readonly resultBytes: number;
  /** What an envelope (Spec, Payload) may add to the bytes it carries: names, ordering key, content type. */
  readonly envelopeBytes: number;
  /** Idempotency key and ordering key. */
  readonly keyChars: number;
  /** Queue, type and tenant names: `[A-Za-z0-9._-]{1,64}`. */
  readonly nameChars: number;
  readonly tags: number;
  readonly tagBytes: number;
  /** What is kept of an error's message. */
  readonly messageBytes: number;
  readonly reasonChars: number;
  readonly progressNoteChars: number;
  readonly contentTypeChars: number;
  readonly cursorChars: number;
  /** The request id of a claim. */
  readonly requestIdChars: number;
  /** What is kept of an error's type name. */
  readonly errorTypeChars: number;
  /** Batches of one Report stream that wait for their answer. */
  readonly reportBatches: number;
  /** Items in one call: submissions, settlements, heartbeats, claims. */
  readonly batchItems: number;
  /** One message on the wire. */
  readonly wireMessageBytes: number;
  readonly leaseBytes: number;
  readonly pageItems: number;
  /** Tasks looked at for one page of a bounded filter. */
  readonly pageExamined: number;
  /** Events of one answer of a history. */
  readonly historyEvents: number;
  readonly watchedTasks: number;
  readonly redriveItems: number;
  readonly maxAttempts: number;
  /** Releases of a claim that never arrived; after that a release counts as a failed attempt. */
  readonly releases: number;
  readonly runAheadMs: number;
  readonly windowMinMs: number;
  readonly windowMaxMs: number;
  readonly lifetimeMaxMs: number;
  readonly retentionMaxMs: number;
  /** SQS hides a message for 12 h at most. */
  readonly attemptTimeoutMaxMs: number;
  readonly backoffMaxMs: number;
  /** A redrive needs so long before the task's items expire. */
  readonly redriveBeforeExpiryMs: number;
  /**
   * A task's lifetime, that of a redriven one too, is over so long before its items expire, whatever its retention: an end
   * takes time to be written, and to be handed on in a lane.
   */
  readonly endBeforeExpiryMs: number;
  /**
   * A bell heard this often is rung anew by whoever hears it: a message can be hidden for 12 h in all, and SQS takes one
   * that was received 100 times for what nobody can read.
   */
  readonly deliveryReceives: number;
  /** Queues of a tenant that come into being by use: each is kept, looked at and listed for ever. */
  readonly queuesPerTenant: number;
  readonly workerQueues: number;
  readonly workerTypes: number;
  /** Tasks assigned to one worker stream and not settled. */
  readonly inFlightTasks: number;
  readonly claimWaitMs: number;
  /** Streams open on one node, and those of one identity. */
  readonly streams: number;
  readonly streamsPerIdentity: number;
  /** Connections of one listener whose TLS handshake is not done, and those of one address. The oldest gives way. */
  readonly handshakes: number;
  readonly handshakesPerAddress: number;
  /** Bytes buffered for one slow reader before its stream is cut. */
  readonly streamBufferBytes: number;
  /** A worker's stream is given more tasks only while fewer bytes than this wait to be taken. */
  readonly streamFillBytes: number;
  /** Bytes of work that wait for the store on one node before submits are refused. */
  readonly storeQueueBytes: number;
  /** Bytes by which one node remembers what it answered to claims of the last minute; the oldest is forgotten first. */
  readonly recentClaimBytes: number;
  /** Bytes of tasks claimed by calls that one node keeps at hand; the rest are read when they are settled. */
  readonly heldCallBytes: number;
}

export const limits: Limits = Object.freeze({
  payloadBytes: 262_144,
  resultBytes: 262_144,
  envelopeBytes: 4_096,
  keyChars: 255,
  nameChars: 64,
  tags: 8,
  tagBytes: 64,
  messageBytes: 8_192,
  reasonChars: 1_024,
  progressNoteChars: 256,
  contentTypeChars: 128,
  cursorChars: 1_024,
  requestIdChars: 64,
  errorTypeChars: 255,
  reportBatches: 64,
  batchItems: 100,
  wireMessageBytes: 1_048_576,
  leaseBytes: 2_048,
  pageItems: 100,
  pageExamined: 1_000,
  historyEvents: 500,
  watchedTasks: 256,
  redriveItems: 1_000,
  maxAttempts: 1_000,
  releases: 20,
  runAheadMs: 365 * day,
  windowMinMs: minute,
  windowMaxMs: 30 * day,
  lifetimeMaxMs: 365 * day,
  retentionMaxMs: 365 * day,
  attemptTimeoutMaxMs: 11 * hour,
  backoffMaxMs: 30 * day,
  redriveBeforeExpiryMs: day,
  endBeforeExpiryMs: hour,
  deliveryReceives: 50,
  queuesPerTenant: 1_000,
  workerQueues: 64,
  workerTypes: 256,
  inFlightTasks: 4_096,
  claimWaitMs: 20 * second,
  streams: 4_096,
  streamsPerIdentity: 1_024,
  handshakes: 2_048,
  handshakesPerAddress: 1_024,
  streamBufferBytes: 8_388_608,
  streamFillBytes: 2_097_152,
  storeQueueBytes: 67_108_864,
  recentClaimBytes: 4_194_304,
  heldCallBytes: 16_777_216,
});

/** What holds where a submission says nothing. */
export const defaults = Object.freeze({
  tenant: 'default',
  typeVersion: 1,
  windowMs: day,
  lifetimeMs: 14 * day,
  retentionMs: 7 * day,
  attemptTimeoutMs: 5 * minute,
  maxAttempts: 5,
  backoffBaseMs: second,
  backoffFactor: 2,
  backoffMaxMs: 5 * minute,
  pageItems: 50,
});

/** How long things take by design; the same on every engine. */
export const timing = Object.freeze({
  leaseMs: 30 * second,
  heartbeatMs: 10 * second,
  /** A lease counts as spent only so long after its end: nodes' clocks may differ by this much. */
  clockGuardMs: 2 * second,
  /** A prefetched task that did not start is given back after this. */
  prefetchStartMs: 5 * second,
  sweepMs: second,
  reconcileMs: minute,
  /** Application keep-alives on every stream, both ways. */
  keepAliveMs: 20 * second,
  /** No stream lives longer, ± 10 %. */
  streamMaxAgeMs: 240 * second,
  drainMs: 30 * second,
  /** Fargate gives a process 120 s at most between SIGTERM and SIGKILL. */
  drainAwsMs: 110 * second,
  claimRepeatMs: minute,
  /** A TLS handshake that takes longer is given up. */
  handshakeMs: 5 * second,
});
