/**
 * This file has all limits of Holdfast. Every engine enforces the same ones, so that the embedded store never accepts a
 * task that AWS would refuse. Bytes are UTF-8 bytes, characters are UTF-16 code units, times are in ms.
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

export interface Limits {
  /** The size of a task's payload, as sent. An SQS message and a DynamoDB item must be able to hold it. */
  readonly payloadBytes: number;
  readonly resultBytes: number;
  /** How many bytes an envelope (Spec, Payload) may add to its payload: names, ordering key, content type. */
  readonly envelopeBytes: number;
  /** The length of an idempotency key, and of an ordering key. */
  readonly keyChars: number;
  /** The length of a queue, task type or tenant name. Names match `[A-Za-z0-9._-]{1,64}`. */
  readonly nameChars: number;
  readonly tags: number;
  readonly tagBytes: number;
  /** Error messages are cut to this length when they are stored. */
  readonly messageBytes: number;
  readonly reasonChars: number;
  readonly progressNoteChars: number;
  readonly contentTypeChars: number;
  readonly cursorChars: number;
  /** The length of a claim's request id. */
  readonly requestIdChars: number;
  /** Error type names are cut to this length when they are stored. */
  readonly errorTypeChars: number;
  /** Batches of one Report stream that are not answered yet. */
  readonly reportBatches: number;
  /** Items of one call, be they submissions, settlements, heartbeats or claims. */
  readonly batchItems: number;
  /** The size of one gRPC message. */
  readonly wireMessageBytes: number;
  readonly leaseBytes: number;
  readonly pageItems: number;
  /** Tasks that the store reads for one page of a filtered list. */
  readonly pageExamined: number;
  /** Events of one page of a history. */
  readonly historyEvents: number;
  readonly watchedTasks: number;
  readonly redriveItems: number;
  readonly maxAttempts: number;
  /** How often a claim that never reached its worker is released; after that a release counts as a failed attempt. */
  readonly releases: number;
  readonly runAheadMs: number;
  readonly windowMinMs: number;
  readonly windowMaxMs: number;
  readonly lifetimeMaxMs: number;
  readonly retentionMaxMs: number;
  /** The longest attempt. It is below 12 h, the longest time for which SQS hides a message. */
  readonly attemptTimeoutMaxMs: number;
  readonly backoffMaxMs: number;
  /** A redrive is refused if the task's items expire sooner than this. */
  readonly redriveBeforeExpiryMs: number;
  /**
   * Every task's lifetime, also after a redrive, ends at least this long before its items expire, however short its
   * retention is. This leaves time to record the end of the task and to hand its lane over.
   */
  readonly endBeforeExpiryMs: number;
  /**
   * A dispatch message that was received this often is sent again, as a new message. SQS hides a message for 12 h in
   * all, and moves it to the dead-letter queue after 100 receives.
   */
  readonly deliveryReceives: number;
  /** Queues that a tenant may create by use. Each queue costs storage, polls and list entries for ever. */
  readonly queuesPerTenant: number;
  readonly workerQueues: number;
  readonly workerTypes: number;
  /** Tasks that are assigned to one worker stream and not settled yet. */
  readonly inFlightTasks: number;
  readonly claimWaitMs: number;
  /** Open streams of one node. */
  readonly streams: number;
  /** Open streams of one identity on one node. */
  readonly streamsPerIdentity: number;
  /** Connections of one listener in their TLS handshake. A further connection closes the oldest of them. */
  readonly handshakes: number;
  /** Connections of one address in their TLS handshake. A further connection closes the oldest of them. */
  readonly handshakesPerAddress: number;
  /** Bytes that are buffered for one slow reader before its stream is cut. */
  readonly streamBufferBytes: number;
  /** A worker's stream is given more tasks only while it has fewer unsent bytes than this. */
  readonly streamFillBytes: number;
  /** Bytes of calls that wait for the store on one node before submissions are refused. */
  readonly storeQueueBytes: number;
  /** Memory of one node, in bytes, for its answers to claims of the last minute. The oldest answer is dropped first. */
  readonly recentClaimBytes: number;
  /**
   * Memory of one node, in bytes, for tasks that were claimed by calls. Other tasks are read again when they are
   * settled.
   */
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

/** The values that apply if a submission does not set them. */
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

/** Intervals and timeouts, the same on every engine. */
export const timing = Object.freeze({
  leaseMs: 30 * second,
  heartbeatMs: 10 * second,
  /** A lease is expired only this long after its end, because the clocks of nodes may differ by this much. */
  clockGuardMs: 2 * second,
  /** A prefetched task is released if its handler has not started after this time. */
  prefetchStartMs: 5 * second,
  sweepMs: second,
  reconcileMs: minute,
  /** The interval of keep-alive messages, which both sides send on every stream. */
  keepAliveMs: 20 * second,
  /** The longest life of a stream, ± 10 %. */
  streamMaxAgeMs: 240 * second,
  drainMs: 30 * second,
  /** The drain time on AWS, where Fargate waits at most 120 s between SIGTERM and SIGKILL. */
  drainAwsMs: 110 * second,
  claimRepeatMs: minute,
  /** A TLS handshake that takes longer is aborted. */
  handshakeMs: 5 * second,
});
