import type {
  Assignment,
  BegunAttempt,
  CancelCause,
  HandledTypeMessage,
  TypeCredit,
  WorkRequest,
  WorkResponse,
} from '../messages.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** The causes of a cancellation, each at the index of its number in `holdfast.v1.CancelCause`. */
const causes: readonly (CancelCause | undefined)[] = [
  undefined,
  'cancelled',
  'deadline',
  'leaseLost',
  'timeout',
  'paused',
  'rebalance',
];
const noBytes = new Uint8Array(0);

export function causeNumber(cause: CancelCause): number {
  return causes.indexOf(cause);
}

export function causeOf(number: number): CancelCause {
  return causes[number] ?? 'cancelled';
}

const writer = new Writer(65_536);

type Hello = Extract<WorkRequest, { kind: 'hello' }>;
type Received = Extract<WorkRequest, { kind: 'received' }>;
type Credit = Extract<WorkRequest, { kind: 'credit' }>;

function writeHello(into: Writer, hello: Hello): void {
  into.string(1, hello.tenant).string(2, hello.workerName).string(3, hello.workerId);
  for (const queue of hello.queues) into.text(4, queue);
  for (const { type, maxVersion, tasks } of hello.types) {
    into.nested(5, (nested) => nested.string(1, type).number(2, maxVersion).present(3, tasks));
  }
  into
    .number(6, hello.tasks)
    .number(7, hello.bytes)
    .flag(8, hello.reportsBegun)
    .flag(9, hello.runsAlone === true);
}

function writeReceived(into: Writer, { seq, begun, attempts, kept }: Received): void {
  into.number(1, seq).packed(2, begun);
  for (const { id, fencingToken, lease } of attempts)
    into.nested(3, (nested) => nested.string(1, id).number(2, fencingToken).bytes(3, lease));
  for (const lease of kept) into.bytes(4, lease);
}

function writeCredit(into: Writer, credit: Credit): void {
  into.number(1, credit.tasks).number(2, credit.bytes);
  for (const { type, tasks } of credit.types) {
    into.nested(3, (nested) => nested.string(1, type).number(2, tasks));
  }
}

/** Returns the bytes of a `holdfast.v1.WorkRequest`. */
export function encodeWorkRequest(request: WorkRequest): Uint8Array<ArrayBuffer> {
  writer.reset();
  if (request.kind === 'hello') writer.nested(1, (into) => writeHello(into, request));
  else if (request.kind === 'credit') writer.nested(2, (into) => writeCredit(into, request));
  else if (request.kind === 'received') writer.nested(3, (into) => writeReceived(into, request));
  else writer.message(4, noBytes);
  return writer.finish();
}

function readHandled(reader: Reader): HandledTypeMessage {
  let type = '';
  let maxVersion = 0;
  let tasks: number | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) type = reader.string();
    else if (field === 2) maxVersion = reader.number();
    else if (field === 3) tasks = reader.number();
    else reader.skip();
  }
  return tasks === undefined ? { type, maxVersion } : { type, maxVersion, tasks };
}

function readHello(reader: Reader): Hello {
  let tenant = '';
  let workerName = '';
  let workerId = '';
  const queues: string[] = [];
  const types: HandledTypeMessage[] = [];
  let tasks = 0;
  let bytes = 0;
  let reportsBegun = false;
  let runsAlone = false;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) tenant = reader.string();
    else if (field === 2) workerName = reader.string();
    else if (field === 3) workerId = reader.string();
    else if (field === 4) queues.push(reader.string());
    else if (field === 5) types.push(readHandled(reader.nested()));
    else if (field === 6) tasks = reader.number();
    else if (field === 7) bytes = reader.number();
    else if (field === 8) reportsBegun = reader.flag();
    else if (field === 9) runsAlone = reader.flag();
    else reader.skip();
  }
  return {
    kind: 'hello',
    tenant,
    workerName,
    workerId,
    queues,
    types,
    tasks,
    bytes,
    reportsBegun,
    runsAlone,
  };
}

function readTypeCredit(reader: Reader): TypeCredit {
  let type = '';
  let tasks = 0;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) type = reader.string();
    else if (field === 2) tasks = reader.number();
    else reader.skip();
  }
  return { type, tasks };
}

function readCredit(reader: Reader): Credit {
  let tasks = 0;
  let bytes = 0;
  const types: TypeCredit[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) tasks = reader.number();
    else if (field === 2) bytes = reader.number();
    else if (field === 3) types.push(readTypeCredit(reader.nested()));
    else reader.skip();
  }
  return { kind: 'credit', tasks, bytes, types };
}

function readReceived(reader: Reader): Received {
  let seq = 0;
  const begun: number[] = [];
  const attempts: BegunAttempt[] = [];
  const kept: Uint8Array[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) seq = reader.number();
    else if (field === 2) reader.numbers(begun);
    else if (field === 3) attempts.push(readAttempt(reader.nested()));
    else if (field === 4) kept.push(reader.bytes());
    else reader.skip();
  }
  return { kind: 'received', seq, begun, attempts, kept };
}

function readAttempt(reader: Reader): BegunAttempt {
  let id = '';
  let fencingToken = 0;
  let lease: Uint8Array = noBytes;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) id = reader.string();
    else if (field === 2) fencingToken = reader.number();
    else if (field === 3) lease = reader.bytes();
    else reader.skip();
  }
  return { id, fencingToken, lease };
}

/** Decodes a WorkRequest. A message of an unknown kind, from a newer worker, is read as a keep-alive. */
export function decodeWorkRequest(bytes: Uint8Array): WorkRequest {
  const reader = new Reader(bytes);
  let request: WorkRequest | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) request = readHello(reader.nested());
    else if (field === 2) request = readCredit(reader.nested());
    else if (field === 3) request = readReceived(reader.nested());
    else if (field === 4) {
      reader.skip();
      request = { kind: 'keepAlive' };
    } else reader.skip();
  }
  return request ?? { kind: 'keepAlive' };
}

function writeAssignment(into: Writer, task: Assignment): void {
  into.string(1, task.id).bytes(2, task.lease).message(3, task.spec);
  into.number(4, task.attempt).number(5, task.maxAttempts).number(6, task.fencingToken);
  into.string(7, task.key).string(8, task.queue).string(9, task.tenant);
  into.number(10, task.leaseMs).number(11, task.timeoutMs).number(12, task.deadlineInMs);
  into.string(13, task.traceparent).string(14, task.parentId);
  for (const tag of task.tags) into.text(15, tag);
  into.flag(16, task.alone).number(17, task.losses).flag(18, task.recordsBegin);
  if (task.attemptTraceparent !== undefined) into.string(19, task.attemptTraceparent);
  if (task.queuedMs !== undefined) into.number(20, task.queuedMs);
}

function readAssignment(reader: Reader): Assignment {
  const tags: string[] = [];
  const read: { -readonly [K in keyof Assignment]: Assignment[K] } = {
    id: '',
    lease: noBytes,
    spec: noBytes,
    attempt: 0,
    maxAttempts: 0,
    fencingToken: 0,
    key: '',
    queue: '',
    tenant: '',
    leaseMs: 0,
    timeoutMs: 0,
    deadlineInMs: 0,
    traceparent: '',
    parentId: '',
    tags,
    alone: false,
    losses: 0,
    recordsBegin: false,
    attemptTraceparent: undefined,
    queuedMs: undefined,
  };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) read.id = reader.string();
    else if (field === 2) read.lease = reader.bytes();
    else if (field === 3) read.spec = reader.bytes();
    else if (field === 4) read.attempt = reader.number();
    else if (field === 5) read.maxAttempts = reader.number();
    else if (field === 6) read.fencingToken = reader.number();
    else if (field === 7) read.key = reader.string();
    else if (field === 8) read.queue = reader.string();
    else if (field === 9) read.tenant = reader.string();
    else if (field === 10) read.leaseMs = reader.number();
    else if (field === 11) read.timeoutMs = reader.number();
    else if (field === 12) read.deadlineInMs = reader.number();
    else if (field === 13) read.traceparent = reader.string();
    else if (field === 14) read.parentId = reader.string();
    else if (field === 15) tags.push(reader.string());
    else if (field === 16) read.alone = reader.flag();
    else if (field === 17) read.losses = reader.number();
    else if (field === 18) read.recordsBegin = reader.flag();
    else if (field === 19) read.attemptTraceparent = reader.string() || undefined;
    else if (field === 20) read.queuedMs = reader.number() || undefined;
    else reader.skip();
  }
  return read;
}

/** Returns the bytes of a `holdfast.v1.WorkResponse`. */
export function encodeWorkResponse(response: WorkResponse): Uint8Array<ArrayBuffer> {
  writer.reset();
  switch (response.kind) {
    case 'welcome':
      writer.nested(1, (into) =>
        into
          .string(1, response.sessionId)
          .string(2, response.node)
          .number(3, response.leaseMs)
          .number(4, response.heartbeatMs),
      );
      break;
    case 'assignments':
      writer.nested(2, (into) => {
        into.number(1, response.seq);
        for (const task of response.tasks) into.nested(2, (nested) => writeAssignment(nested, task));
      });
      break;
    case 'cancel':
      writer.nested(3, (into) =>
        into.string(1, response.id).number(2, response.fencingToken).number(3, causeNumber(response.cause)),
      );
      break;
    case 'drain':
      writer.message(4, noBytes);
      break;
    case 'keepAlive':
      writer.message(5, noBytes);
  }
  return writer.finish();
}

function readWelcome(reader: Reader): WorkResponse {
  let sessionId = '';
  let node = '';
  let leaseMs = 0;
  let heartbeatMs = 0;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) sessionId = reader.string();
    else if (field === 2) node = reader.string();
    else if (field === 3) leaseMs = reader.number();
    else if (field === 4) heartbeatMs = reader.number();
    else reader.skip();
  }
  return { kind: 'welcome', sessionId, node, leaseMs, heartbeatMs };
}

function readAssignments(reader: Reader): WorkResponse {
  let seq = 0;
  const tasks: Assignment[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) seq = reader.number();
    else if (field === 2) tasks.push(readAssignment(reader.nested()));
    else reader.skip();
  }
  return { kind: 'assignments', seq, tasks };
}

function readCancel(reader: Reader): WorkResponse {
  let id = '';
  let fencingToken = 0;
  let cause: CancelCause = 'cancelled';
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) id = reader.string();
    else if (field === 2) fencingToken = reader.number();
    else if (field === 3) cause = causeOf(reader.number());
    else reader.skip();
  }
  return { kind: 'cancel', id, fencingToken, cause };
}

/** Decodes a WorkResponse. A message of an unknown kind, from a newer server, is read as a keep-alive. */
export function decodeWorkResponse(bytes: Uint8Array): WorkResponse {
  const reader = new Reader(bytes);
  let response: WorkResponse | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) response = readWelcome(reader.nested());
    else if (field === 2) response = readAssignments(reader.nested());
    else if (field === 3) response = readCancel(reader.nested());
    else {
      reader.skip();
      if (field === 4) response = { kind: 'drain' };
      if (field === 5) response = { kind: 'keepAlive' };
    }
  }
  return response ?? { kind: 'keepAlive' };
}
