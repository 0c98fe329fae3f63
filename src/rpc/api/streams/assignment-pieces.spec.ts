import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { payload } from '../../../../test/fixtures/api-node.ts';
import { encodeSpec } from '../../../core/codec/spec.ts';
import { limits } from '../../../core/limits.ts';
import type { Assignment } from '../../../core/messages.ts';
import { AssignmentsSchema } from '../../gen/holdfast/v1/worker_service_pb.ts';
import { assignmentToWire } from '../wire/to-wire.ts';
import { AssignmentNumbering, splitAssignments } from './assignment-pieces.ts';

function assignment(bytes: number): Assignment {
  const spec = encodeSpec({
    type: 't',
    typeVersion: 1,
    orderingKey: undefined,
    payload: payload('x'.repeat(bytes), 'a/b'),
  });
  return {
    id: 'i'.repeat(255),
    lease: new Uint8Array(limits.leaseBytes),
    spec,
    attempt: 1_000,
    maxAttempts: 1_000,
    fencingToken: Number.MAX_SAFE_INTEGER,
    key: '字'.repeat(limits.keyChars),
    queue: 'q'.repeat(limits.nameChars),
    tenant: 't'.repeat(limits.nameChars),
    leaseMs: Number.MAX_SAFE_INTEGER,
    timeoutMs: Number.MAX_SAFE_INTEGER,
    deadlineInMs: Number.MAX_SAFE_INTEGER,
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    parentId: 'p'.repeat(255),
    tags: Array(limits.tags).fill('t'.repeat(limits.tagBytes)),
    alone: false,
    losses: 0,
    recordsBegin: false,
  };
}

function wireBytes(tasks: readonly Assignment[]): number {
  return toBinary(
    AssignmentsSchema,
    create(AssignmentsSchema, { seq: 1, tasks: tasks.map(assignmentToWire) }),
  ).length;
}

describe('assignments', () => {
  it('stay in one message if they fit', () => {
    const few = [assignment(10), assignment(10)];
    expect(splitAssignments(few)).toEqual([few]);
    expect(splitAssignments([])).toEqual([]);
  });

  it('are split into messages of at most 100 assignments', () => {
    const many = Array<Assignment>(201).fill(assignment(0));
    expect(splitAssignments(many).map((piece) => piece.length)).toEqual([100, 100, 1]);
  });

  it('are split into messages of at most 1 MiB, even with all fields at their longest', () => {
    const large = Array<Assignment>(9).fill(assignment(limits.payloadBytes));
    const pieces = splitAssignments(large);
    expect(pieces.flat()).toEqual(large);
    expect(pieces.map((piece) => piece.length)).toEqual([3, 3, 3]);
    for (const piece of pieces) expect(wireBytes(piece)).toBeLessThanOrEqual(limits.wireMessageBytes);
  });
});

describe('an assignment that is sent as several messages', () => {
  it('counts as received as far as the worker has acknowledged the messages', () => {
    const numbering = new AssignmentNumbering();
    for (const [service, count] of [
      [1, 1],
      [2, 3],
      [3, 1],
    ] as const) {
      for (let i = 1; i <= count; i++) numbering.next(service, 10 * i);
    }
    expect(numbering.sent).toBe(5);
    expect([1, 3, 2].map((wire) => numbering.acknowledge(wire))).toMatchObject([
      { service: 1, tasks: 10 },
      { service: 2, tasks: 20 },
      undefined,
    ]);
    expect(numbering.acknowledge(5)).toMatchObject({ service: 3, tasks: 10 });
    expect(numbering.acknowledge(5)).toBeUndefined();
  });
});
