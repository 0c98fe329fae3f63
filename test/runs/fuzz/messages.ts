/**
 * Makes messages from the descriptors of the schema, with values that the server is likely to take and with those at
 * the boundaries of their types. It writes the bytes by itself, so that it shares no code with the product.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { ScalarType, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { SubmitTasksRequestSchema } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import {
  ReportRequestSchema,
  WorkRequestSchema,
} from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import {
  generatedBatch,
  generatedReportRequest,
  generatedWorkRequest,
} from '../../fixtures/generated-messages.ts';
import { batch, reportRequest, workRequest } from '../../fixtures/message-arbitraries.ts';
import type { KnownValues } from './known-values.ts';
import type { Random } from './random.ts';
import { lengthField, varint } from './wire-fields.ts';

/** The tenant in which all identities of the run may act, beside one in which none of them may. */
export const fuzzTenant = 'fuzz';
export const fuzzQueues = ['one', 'two', 'three'];
export const fuzzTypes = ['echo', 'sum'];
export const canaryTenant = 'canary';

const mostDepth = 6;
const numbers = [0, 1, 2, 3, 5, 100, 101, 1_000, 4_096, 4_097, 60_000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const large = [2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -1n, -(2n ** 63n), 2n ** 64n - 1n];
const doubles = [0, 1, 2, 0.5, -1, 1e308, Number.NaN, Number.POSITIVE_INFINITY, -0, 5e-324];
const texts = ['', 'a', 'Ünïcode ✓', '\0', '../../etc', "'; --", '*', '\u202e', 'constructor', '__proto__'];
const payloads = ['{}', 'null', '[1,2,{"a":"b"}]', '"text"', '1e400', '{"a":1,"a":2}', '{"n":', '\ufeff{}'];

/** Returns the bytes of a valid message of this type; for reflection, which has none, random fields of its request. */
export function messageOf(desc: DescMessage | undefined, random: Random, known: KnownValues): Buffer {
  if (desc === undefined) return reflectionRequest(random);
  if (random.chance(0.15)) {
    const found = arbitraryOf(desc, random.below(2 ** 31));
    if (found !== undefined) return found;
  }
  return write(
    desc,
    { random, known, share: random.pick([0.2, 0.6, 0.95]), wild: random.pick([0, 0.05, 0.4]) },
    0,
  );
}

/** Returns a message by the arbitraries that the specs of the codec use. */
function arbitraryOf({ typeName }: DescMessage, seed: number): Buffer | undefined {
  const one = <T>(arbitrary: fc.Arbitrary<T>): T => fc.sample(arbitrary, { seed, numRuns: 1 })[0] as T;
  if (typeName === SubmitTasksRequestSchema.typeName)
    return Buffer.from(toBinary(SubmitTasksRequestSchema, generatedBatch(one(batch))));
  if (typeName === WorkRequestSchema.typeName)
    return Buffer.from(toBinary(WorkRequestSchema, generatedWorkRequest(one(workRequest))));
  if (typeName === ReportRequestSchema.typeName)
    return Buffer.from(toBinary(ReportRequestSchema, generatedReportRequest(one(reportRequest))));
  return undefined;
}

function reflectionRequest(random: Random): Buffer {
  const name = random.pick([
    '',
    '*',
    'holdfast.v1.TaskService',
    'holdfast/v1/task.proto',
    'holdfast.v1.Nothing',
  ]);
  return lengthField(random.between(1, 8), Buffer.from(name));
}

interface Making {
  readonly random: Random;
  readonly known: KnownValues;
  /** The share of the optional fields that are set. */
  readonly share: number;
  /** The share of the values that are at a boundary of their type, whatever their field means. */
  readonly wild: number;
}

function write(desc: DescMessage, making: Making, depth: number): Buffer {
  const { random, share } = making;
  const chosen = new Map(desc.oneofs.map((oneof) => [oneof, random.pick(oneof.fields)]));
  const parts: Buffer[] = [];
  for (const field of desc.fields) {
    if (field.oneof !== undefined && chosen.get(field.oneof) !== field) continue;
    const isNeeded = needed.has(field.localName) || (field.oneof !== undefined && depth === 0);
    if (!random.chance(isNeeded ? Math.max(share, 0.98) : share)) continue;
    for (let count = countOf(field, making); count > 0; count--) parts.push(writeField(field, making, depth));
  }
  return Buffer.concat(parts);
}

/** The fields without which nearly every call is refused at once. */
const needed = new Set([
  'tenant',
  'queue',
  'queues',
  'types',
  'type',
  'item',
  'items',
  'spec',
  'id',
  'lease',
  'name',
]);

function countOf({ fieldKind }: DescField, { random, wild }: Making): number {
  if (fieldKind !== 'list') return 1;
  return random.chance(wild * 0.1) ? random.pick([0, 9, 65, 101, 257]) : random.between(1, 3);
}

function writeField(field: DescField, making: Making, depth: number): Buffer {
  const message = field.fieldKind === 'message' || field.fieldKind === 'list' ? field.message : undefined;
  if (message !== undefined) {
    const bytes = depth > mostDepth ? Buffer.alloc(0) : write(message, making, depth + 1);
    return lengthField(field.number, bytes);
  }
  const { random, wild } = making;
  const tag = (type: number): Buffer => varint(field.number * 8 + type);
  if (field.enum !== undefined) {
    const values = field.enum.values.map(({ number }) => number);
    return Buffer.concat([tag(0), varint(random.chance(wild) ? random.pick(numbers) : random.pick(values))]);
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return lengthField(field.number, Buffer.from(textOf(field.localName, making)));
    case ScalarType.BYTES:
      return lengthField(field.number, bytesOf(field.localName, making));
    case ScalarType.BOOL:
      return Buffer.concat([tag(0), varint(random.below(2))]);
    case ScalarType.DOUBLE: {
      const value = Buffer.alloc(8);
      value.writeDoubleLE(random.pick(doubles));
      return Buffer.concat([tag(1), value]);
    }
    default:
      return Buffer.concat([tag(0), varint(numberOf(field.localName, making))]);
  }
}

function numberOf(name: string, { random, wild }: Making): number | bigint {
  if (random.chance(wild)) return random.chance(0.3) ? random.pick(large) : random.pick(numbers);
  if (name.endsWith('AtMs')) return random.pick([0, Date.now() + random.between(-1_000, 100_000)]);
  if (name === 'waitMs') return random.below(200);
  if (name === 'windowMs' || name === 'lifetimeMs' || name === 'retentionMs')
    return random.pick([0, 3_600_000]);
  return random.below(12);
}

function textOf(name: string, { random, known, wild }: Making): string {
  if (random.chance(wild)) {
    return random.chance(0.2)
      ? 'x'.repeat(random.pick([64, 65, 255, 256, 1_025, 70_000]))
      : random.pick(texts);
  }
  switch (name) {
    case 'tenant':
      return random.pick([fuzzTenant, fuzzTenant, fuzzTenant, fuzzTenant, '', canaryTenant]);
    case 'queue':
    case 'queues':
    case 'name':
      return random.pick(fuzzQueues);
    case 'type':
      return random.pick(fuzzTypes);
    case 'id':
    case 'taskId':
      return known.id(random) ?? 'none';
    case 'idempotencyKey':
      return `key-${random.below(5_000)}`;
    case 'pageToken':
      return known.pages.length === 0 ? '' : random.pick(known.pages);
    case 'sessionId':
      return known.sessions.length === 0 ? 'none' : random.pick(known.sessions);
    case 'service':
      return random.pick(['', 'holdfast.v1.TaskService', 'none']);
    case 'contentType':
      return random.pick(['', 'application/json', 'application/octet-stream']);
    case 'traceparent':
      return `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    case 'orderingKey':
      return random.pick(['', 'lane']);
    case 'encoding':
    case 'keyId':
    case 'reference':
    case 'tag':
      return '';
    default:
      return `${name}-${random.below(20)}`;
  }
}

function bytesOf(name: string, { random, known, wild }: Making): Uint8Array {
  if (name === 'lease' || name === 'kept') return known.lease(random);
  if (random.chance(wild)) return random.bytes(random.pick([0, 1, 300, 4_000]));
  return Buffer.from(random.pick(payloads));
}
