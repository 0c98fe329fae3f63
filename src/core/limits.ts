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
  /**
   * The characters that the fields of one log line may have in all, in Holdfast's own log and in the log of an attempt. A
   * longer line is cut.
   */
  readonly logLineChars: number;
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
  /** The maximum number of batches of one stream of submissions that are not answered yet. */
  readonly submitStreamBatches: number;
  /** The maximum number of items in one call: submissions, settlements, heartbeats or claims. */
  readonly batchItems: number;
  /** The maximum size of one gRPC message. */
  readonly wireMessageBytes: number;
  readonly leaseBytes: number;
  readonly pageItems: number;
  /** The maximum number of tasks that the store reads for one page of a filtered list. */
  readonly pageExamined: number;
  /**
   * How many tasks `client.list`, `holdfast list` and one RedriveTasks call examine, page by page, before they return
   * without having reached the end of the list. On AWS this many tasks cost about 20,000 read units and a few seconds.
   */
  readonly listExamined: number;
  /**
   * How many unfinished tasks one ListTrouble call explains, and how many tasks it examines to find them, before it begins no
   * further page.
   */
  readonly troubleExplained: number;
  readonly troubleExamined: number;
  /** The maximum number of lanes whose first task one ListTrouble call reads. The tasks of further lanes are only counted. */
  readonly troubleLanes: number;
  /** The maximum number of groups of tasks in one response of ListTrouble. The smallest groups are left out and counted. */
  readonly troubleGroups: number;
  /** The maximum number of ListTrouble calls in progress on one node: each keeps a page of tasks and its groups in memory. */
  readonly troubleCalls: number;
  /** The maximum number of ListTrouble calls of one client identity in progress on one node. */
  readonly troubleCallsPerIdentity: number;
  /** The maximum number of events in one page of a task's history. */
  readonly historyEvents: number;
  /** The maximum number of tasks that one stream watches. */
  readonly watchedTasks: number;
  readonly redriveItems: number;
  /** The number of queues that `holdfast list` without `--queue` reads, each with one ListTasks call. */
  readonly listedQueues: number;
  /** The maximum number of task ids that one `holdfast cancel`, `redrive` or `wait` takes. */
  readonly commandIds: number;
  readonly maxAttempts: number;
  /** The highest number of lost workers that a task type may allow before its task is dead. */
  readonly maxLosses: number;
  /**
   * The number of lost workers after which a task runs with nothing else beside it in its worker's process. It is also
   * the reason for the lowest value of `maxLosses`: only a loss of a task that ran alone makes the task dead.
   */
  readonly lossesBeforeAlone: number;
  /**
   * How often a task may be given back (released) because its claim never reached the worker, before each further
   * release backs off. No release uses an attempt.
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
  /** The maximum number of queues of one store that may be created by using a new queue name, over all tenants. */
  readonly queues: number;
  /** The maximum number of tenants of one store that may come into being by using a new tenant name. */
  readonly tenants: number;
  readonly workerQueues: number;
  readonly workerTypes: number;
  /** The maximum number of tasks that are assigned to one worker stream and not settled yet. */
  readonly inFlightTasks: number;
  readonly claimWaitMs: number;
  /** The maximum number of claim calls that wait for tasks on one node. */
  readonly waitingClaims: number;
  /** The maximum number of claim calls of one client identity that wait for tasks on one node. */
  readonly waitingClaimsPerIdentity: number;
  /** The maximum number of open streams of one node. */
  readonly streams: number;
  /** The maximum number of open streams of one client identity on one node. */
  readonly streamsPerIdentity: number;
  /** The maximum number of tasks that all streams of one node watch. */
  readonly watches: number;
  /** The maximum number of tasks that the streams of one client identity watch on one node. */
  readonly watchesPerIdentity: number;
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
  /** The maximum number of connections of one listener, beside those that are in their TLS handshake. */
  readonly connections: number;
  /** The maximum number of connections of one client identity to one listener. */
  readonly connectionsPerIdentity: number;
  /** The last connections of a listener, which an identity gets only while it has fewer than `connectionsOfReserve`. */
  readonly connectionReserve: number;
  readonly connectionsOfReserve: number;
  /**
   * The maximum number of connections of one listener beyond the limits of identities. Their calls are answered with the
   * error before they are closed. A further connection closes the oldest one.
   */
  readonly surplusConnections: number;
  /**
   * The maximum number of connections of one listener whose peers have no identity that may make calls: the strangers. A
   * further connection closes the oldest one.
   */
  readonly strangers: number;
  /** The maximum number of strangers' connections from one IP address. A further connection closes the oldest one. */
  readonly strangersPerAddress: number;
  /** The maximum number of concurrent calls on one connection. */
  readonly callsPerConnection: number;
  readonly callsPerStranger: number;
  /** The maximum length of a client's certificate in the header of a load balancer. */
  readonly forwardedCertificateChars: number;
  /** The maximum number of such certificates that a listener keeps as verified. The oldest one is verified again. */
  readonly forwardedCertificates: number;
  /** The maximum number of clients that are kept for one connection of a load balancer; another drops the oldest one. */
  readonly forwardedCallers: number;
  /** How many bytes of one call a stranger may send before the server has read any of them. */
  readonly strangerWindowBytes: number;
  /** The maximum size of a stranger's message. Strangers may send only requests of health and reflection. */
  readonly strangerMessageBytes: number;
  /** The bytes that each open call counts in the next limits, beside its headers: the server's objects for the call. */
  readonly callBytes: number;
  /**
   * The memory of one node, in bytes, for open calls, their messages and the answers that clients have not read. A call
   * beyond it is refused; so is one beyond the share of its connection, of its identity, or of all strangers.
   */
  readonly receivingBytes: number;
  readonly receivingBytesPerIdentity: number;
  readonly receivingBytesPerConnection: number;
  readonly receivingBytesOfStrangers: number;
  /** The share of the strangers of one IP address. */
  readonly receivingBytesPerAddress: number;
  /** The strangers of an address with at most this many bytes are not refused for those of other addresses: two calls. */
  readonly receivingBytesOfFewCalls: number;
  /** The last bytes of `receivingBytes`, which an identity gets only while it has at most `receivingBytesOfReserve`. */
  readonly receivingReserveBytes: number;
  readonly receivingBytesOfReserve: number;
  /** How many bytes are buffered for one slow reader before its stream is closed. */
  readonly streamBufferBytes: number;
  /** A worker is given more tasks only while its stream has fewer unsent bytes than this. */
  readonly streamFillBytes: number;
  /** Workers are given more tasks only while all streams of one node have fewer unsent bytes than this. */
  readonly unsentBytes: number;
  /** The workers of one client identity are given more tasks only while its streams have fewer unsent bytes than this. */
  readonly unsentBytesPerIdentity: number;
  /** The maximum number of bytes of results, messages and leases that were reported on streams and are not answered yet. */
  readonly reportBytes: number;
  /** The maximum number of such bytes of one client identity. */
  readonly reportBytesPerIdentity: number;
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
  /** The distinct valid names of queues, task types and tenants that a process remembers, so that each is checked once. */
  readonly rememberedNames: number;
  /**
   * The distinct sets of options that a process remembers, so that each is decoded, checked and encoded once. Options with a
   * time or a parent are not remembered.
   */
  readonly rememberedOptions: number;
  /** The maximum size of an encoded set of options that is remembered. */
  readonly rememberedOptionBytes: number;
  /** The memory of one node, in bytes, for the workers that claim by claim calls: their names, queues and types. */
  readonly pollerBytes: number;
  /** The bytes of such workers of one client identity. The one that polled longest ago is forgotten first. */
  readonly pollerBytesPerIdentity: number;
  /** The maximum number of event streams that one handler of `holdfast/web` has open at a time. */
  readonly webEventStreams: number;
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
  logLineChars: 32_768,
  reasonChars: 1_024,
  progressNoteChars: 256,
  contentTypeChars: 128,
  cursorChars: 1_024,
  requestIdChars: 64,
  errorTypeChars: 255,
  reportBatches: 64,
  submitStreamBatches: 1_024,
  batchItems: 100,
  wireMessageBytes: 1_048_576,
  leaseBytes: 2_048,
  pageItems: 100,
  pageExamined: 1_000,
  listExamined: 20_000,
  troubleExplained: 2_000,
  troubleExamined: 10_000,
  troubleLanes: 200,
  troubleGroups: 50,
  troubleCalls: 8,
  troubleCallsPerIdentity: 2,
  historyEvents: 500,
  watchedTasks: 256,
  redriveItems: 1_000,
  listedQueues: 50,
  commandIds: 10_000,
  maxAttempts: 1_000,
  maxLosses: 1_000,
  lossesBeforeAlone: 2,
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
  queues: 10_000,
  tenants: 1_000,
  workerQueues: 64,
  workerTypes: 256,
  inFlightTasks: 4_096,
  claimWaitMs: 20 * second,
  waitingClaims: 4_096,
  waitingClaimsPerIdentity: 1_024,
  streams: 4_096,
  streamsPerIdentity: 1_024,
  watches: 131_072,
  watchesPerIdentity: 32_768,
  handshakes: 1_024,
  handshakesPerAddress: 512,
  connections: 2_048,
  connectionsPerIdentity: 512,
  connectionReserve: 256,
  connectionsOfReserve: 16,
  surplusConnections: 64,
  strangers: 256,
  strangersPerAddress: 64,
  callsPerConnection: 256,
  callsPerStranger: 8,
  forwardedCertificateChars: 16_384,
  forwardedCertificates: 4_096,
  forwardedCallers: 256,
  strangerWindowBytes: 16_384,
  strangerMessageBytes: 16_384,
  callBytes: 16_384,
  receivingBytes: 201_326_592,
  receivingBytesPerIdentity: 67_108_864,
  receivingBytesPerConnection: 33_554_432,
  receivingBytesOfStrangers: 4_194_304,
  receivingBytesPerAddress: 1_048_576,
  receivingBytesOfFewCalls: 49_152,
  receivingReserveBytes: 33_554_432,
  receivingBytesOfReserve: 2_097_152,
  streamBufferBytes: 8_388_608,
  streamFillBytes: 2_097_152,
  unsentBytes: 134_217_728,
  unsentBytesPerIdentity: 33_554_432,
  reportBytes: 134_217_728,
  reportBytesPerIdentity: 67_108_864,
  storeQueueBytes: 67_108_864,
  recentClaimBytes: 4_194_304,
  heldCallBytes: 16_777_216,
  rememberedNames: 4_096,
  rememberedOptions: 256,
  rememberedOptionBytes: 512,
  pollerBytes: 8_388_608,
  pollerBytesPerIdentity: 2_097_152,
  webEventStreams: 1_000,
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
  maxLosses: 3,
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
  /** A task that must run alone is released if its worker has not become idle after this time. */
  aloneStartMs: 60 * second,
  sweepMs: second,
  reconcileMs: minute,
  /** A ListTrouble call begins no further read after this time, so that it ends before the deadlines of its callers. */
  troubleMs: 5 * second,
  /** The interval of keep-alive messages, which both sides send on every stream. */
  keepAliveMs: 20 * second,
  /** The longest life of a stream, ± 10 %. */
  streamMaxAgeMs: 240 * second,
  /** The time after which a drained stream is ended if its client has not ended it. */
  streamDrainMs: 30 * second,
  /**
   * The time in which the running tasks of a stopping worker may finish. With the second that follows it, it is shorter
   * than the 30 s after which Kubernetes kills a process.
   */
  drainMs: 25 * second,
  /** The time after the drain in which a stopping worker aborts its handlers, sends the last outcomes and ends. */
  drainEndMs: second,
  /** The time in which a stopping server has ended, whatever its store and its clients do. */
  serverStopMs: 2 * second,
  claimRepeatMs: minute,
  /** How long after its last claim call a worker without a stream is listed and counted. */
  pollerKnownMs: minute,
  /** The time after which a connection is closed whose TLS handshake, or whose HTTP/2 handshake, has not ended. */
  handshakeMs: 5 * second,
  /** The time after which a connection of HTTP/1.1 is closed that has not sent the headers of its request. */
  headersMs: 10 * second,
  /** The time in which the message of a call must have arrived, counted from its first byte or the call's headers. */
  requestMs: 30 * second,
  /** The same for a stranger, whose messages are small. A stream must begin with a message in this time too. */
  strangerRequestMs: 3 * second,
  /** The life of a connection beyond the limits of its identity, in which its calls are answered with the error. */
  surplusMs: second,
  /** The longest life of the connection of a peer without an identity. Health checks take less time. */
  strangerMs: 30 * second,
});
