/**
 * This file has all limits of Holdfast. Every engine enforces the same ones, so that the embedded store never accepts a
 * task that AWS would refuse. Bytes are UTF-8 bytes, characters are UTF-16 code units, times are in ms.
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

export interface Limits {
  /**
   * The maximum size of a task's payload, as sent. An SQS message and a DynamoDB item must be able to hold a payload.
   */
  readonly payloadBytes: number;
  readonly resultBytes: number;
  /**
   * How many bytes the protobuf messages Spec and Payload, which contain a payload, may add to its size:
   * names, ordering key, content type.
   */
  readonly envelopeBytes: number;
  /** The maximum length of an idempotency key, and of an ordering key. */
  readonly keyChars: number;
  /** The maximum length of the name of a queue, task type or tenant. Names match `[A-Za-z0-9._-]{1,64}`. */
  readonly nameChars: number;
  readonly tags: number;
  readonly tagBytes: number;
  /** The maximum length of a stored error message. A longer message is cut. */
  readonly messageBytes: number;
  readonly reasonChars: number;
  readonly progressNoteChars: number;
  readonly contentTypeChars: number;
  readonly cursorChars: number;
  /** The maximum length of the request id of a claim call. */
  readonly requestIdChars: number;
  /** The maximum length of a stored error type name. A longer name is cut. */
  readonly errorTypeChars: number;
  /** The maximum number of batches of one Report stream that are not answered yet. */
  readonly reportBatches: number;
  /** The maximum number of items in one call: submissions, settlements, heartbeats or claims. */
  readonly batchItems: number;
  /** The maximum size of one gRPC message. */
  readonly wireMessageBytes: number;
  readonly leaseBytes: number;
  readonly pageItems: number;
  /** The maximum number of tasks that the store reads for one page of a filtered list. */
  readonly pageExamined: number;
  /** The maximum number of events in one page of a task's history. */
  readonly historyEvents: number;
  readonly watchedTasks: number;
  readonly redriveItems: number;
  readonly maxAttempts: number;
  /**
   * How often a task may be given back (released) without using up an attempt because its claim never reached
   * the worker. Each further release counts as a failed attempt.
   */
  readonly releases: number;
  readonly runAheadMs: number;
  readonly windowMinMs: number;
  readonly windowMaxMs: number;
  readonly lifetimeMaxMs: number;
  readonly retentionMaxMs: number;
  /** The longest timeout of an attempt. It is below 12 h, the longest time for which SQS hides a message. */
  readonly attemptTimeoutMaxMs: number;
  readonly backoffMaxMs: number;
  /** A redrive is refused if the stored items of the task expire sooner than this, counted from now. */
  readonly redriveBeforeExpiryMs: number;
  /**
   * The lifetime of every task, also of a redriven one, ends at least this long before the task's stored
   * items expire, however short the retention is. This leaves time to record the end of the task and to
   * dispatch the next task of its lane.
   */
  readonly endBeforeExpiryMs: number;
  /**
   * The number of receives after which a dispatch message is replaced by a new message. SQS hides a message for 12 h in
   * all, and moves it to the dead-letter queue after 100 receives.
   */
  readonly deliveryReceives: number;
  /**
   * The maximum number of queues that a tenant may create by using a new queue name. Each queue costs
   * storage, polls and list entries for ever.
   */
  readonly queuesPerTenant: number;
  readonly workerQueues: number;
  readonly workerTypes: number;
  /** The maximum number of tasks that are assigned to one worker stream and not settled yet. */
  readonly inFlightTasks: number;
  readonly claimWaitMs: number;
  /** The maximum number of open streams of one node. */
  readonly streams: number;
  /** The maximum number of open streams of one client identity on one node. */
  readonly streamsPerIdentity: number;
  /**
   * The maximum number of connections of one listener that are in their TLS handshake. A further connection closes the
   * oldest one.
   */
  readonly handshakes: number;
  /**
   * The maximum number of connections from one IP address that are in their TLS handshake. A further connection closes
   * the oldest one.
   */
  readonly handshakesPerAddress: number;
  /** How many bytes are buffered for one slow reader before its stream is closed. */
  readonly streamBufferBytes: number;
  /** A worker is given more tasks only while its stream has fewer unsent bytes than this. */
  readonly streamFillBytes: number;
  /** How many bytes of calls may wait for the store on one node before the node refuses submissions. */
  readonly storeQueueBytes: number;
  /**
   * The memory of one node, in bytes, for its answers to the claim calls of the last minute. The oldest answer is
   * dropped first.
   */
  readonly recentClaimBytes: number;
  /**
   * The memory of one node, in bytes, for tasks that were claimed by claim calls, not by a stream. A task that does not
   * fit is read from the store again when it is settled.
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

/** The values that apply to a submission or a request that does not set them. */
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
  /** A lease counts as expired only this long after its end, because the clocks of nodes may differ by this much. */
  clockGuardMs: 2 * second,
  /**
   * No lease expires for this time after the start of a server, after a stall of its process, or after an outage of its
   * store: workers need a heartbeat and a new stream to renew their leases.
   */
  leaseGraceMs: 15 * second,
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
  /** The time in which a stopping server has ended, whatever its store and its clients do. */
  serverStopMs: 2 * second,
  claimRepeatMs: minute,
  /** The time after which an unfinished TLS handshake is aborted. */
  handshakeMs: 5 * second,
});
