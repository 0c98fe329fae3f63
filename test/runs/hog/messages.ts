/** The gRPC messages and the paths of the calls that attacks make. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { encodeSubmitBatch } from '../../../src/core/codec/submit.ts';
import { encodeWorkRequest } from '../../../src/core/codec/work.ts';
import { limits } from '../../../src/core/limits.ts';
import { item, specOf } from '../../fixtures/api-node.ts';
import { frame } from '../../fixtures/raw-grpc.ts';

export const paths = Object.freeze({
  health: '/grpc.health.v1.Health/Check',
  healthWatch: '/grpc.health.v1.Health/Watch',
  reflection: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  submitTask: '/holdfast.v1.TaskService/SubmitTask',
  submitTasks: '/holdfast.v1.TaskService/SubmitTasks',
  submitStream: '/holdfast.v1.TaskService/SubmitStream',
  getTask: '/holdfast.v1.TaskService/GetTask',
  listTasks: '/holdfast.v1.TaskService/ListTasks',
  explainTask: '/holdfast.v1.TaskService/ExplainTask',
  listTrouble: '/holdfast.v1.TaskService/ListTrouble',
  watchTasks: '/holdfast.v1.TaskService/WatchTasks',
  claimTasks: '/holdfast.v1.WorkerService/ClaimTasks',
  heartbeat: '/holdfast.v1.WorkerService/Heartbeat',
  work: '/holdfast.v1.WorkerService/Work',
  report: '/holdfast.v1.WorkerService/Report',
});

/** The queue of the tasks that the store has before an attack, and their task type. */
export const stockQueue = 'stock';
export const stockType = 'note';

/** Returns a message of the schema with the head that gRPC puts before it. */
export function messageOf<M extends DescMessage>(schema: M, fields: MessageInitShape<M>): Buffer {
  return frame(toBinary(schema, create(schema, fields)));
}

let made = 0;
/** Returns a key that no other call of this process returns. */
export function newKey(): string {
  return `hog/${process.pid}/${made++}`;
}

/** Returns a valid batch of new tasks whose payloads have this length. */
export function submission(tasks: number, payloadBytes: number, queue = 'hog', tenant = ''): Buffer {
  const spec = specOf(JSON.stringify('x'.repeat(payloadBytes)), 'hog');
  const items = Array.from({ length: tasks }, () => item(newKey(), { spec }));
  return frame(encodeSubmitBatch({ tenant, queue, items }));
}

const nameOf = (kind: string, index: number): string => `${kind}-${index}-`.padEnd(limits.nameChars, 'x');
/** The most queues and task types that a worker can name, with the longest names. */
export const mostQueues = Array.from({ length: limits.workerQueues }, (_, i) => nameOf('queue', i));
export const mostTypes = Array.from({ length: limits.workerTypes }, (_, i) => ({
  type: nameOf('type', i),
  maxVersion: 1,
  tasks: undefined,
}));

export interface Hello {
  readonly queues?: readonly string[];
  readonly types?: typeof mostTypes;
  readonly bytes?: number;
}

/** Returns the first message of a Work stream. */
export function workHello({ queues = mostQueues, types = mostTypes, bytes = 1_000_000 }: Hello = {}): Buffer {
  const message = encodeWorkRequest({
    kind: 'hello',
    tenant: '',
    workerName: 'hog',
    workerId: crypto.randomUUID(),
    queues,
    types,
    tasks: limits.inFlightTasks,
    bytes,
    reportsBegun: true,
  });
  return frame(message);
}
