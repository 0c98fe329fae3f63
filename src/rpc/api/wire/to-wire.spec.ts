import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generatedOptions } from '../../../../test/fixtures/generated-messages.ts';
import { options as optionsRequests, storedOptions } from '../../../../test/fixtures/message-arbitraries.ts';
import { codes, HoldfastError } from '../../../core/errors.ts';
import { resolveOptions } from '../../../core/submission/submission.ts';
import { deadReasons, type TaskEvent } from '../../../core/task/event.ts';
import { itemError } from '../../../service/rejections.ts';
import { Code } from '../../gen/google/rpc/code_pb.ts';
import {
  DeadReason,
  EventKind,
  SubmitOptionsSchema,
  TaskEventSchema,
} from '../../gen/holdfast/v1/task_pb.ts';
import { ItemErrorSchema } from '../../gen/holdfast/v1/task_service_pb.ts';
import { deadReasonNumber } from './enums.ts';
import { errorFromWire, optionsFromWire } from './from-wire.ts';
import { errorToWire, eventToWire, optionsOf } from './to-wire.ts';

const wire = (event: TaskEvent) => create(TaskEventSchema, eventToWire(event));

describe('events on the wire', () => {
  const at = { atMs: 1_000, fencingToken: 7 };
  const events: TaskEvent[] = [
    { kind: 'submitted', atMs: 1_000, runAtMs: 5, deadlineAtMs: 6, lifetimeEndAtMs: undefined, inLane: true },
    { kind: 'claimed', ...at, attempt: 2, worker: 'w/i', timeoutAtMs: 9, begins: true },
    { kind: 'claimReleased', ...at, countsAsRelease: true, retryAtMs: undefined },
    {
      kind: 'leaseExpired',
      begun: 'yes' as const,
      alone: false,
      countsAsLoss: true,
      retryAtMs: undefined,
      ...at,
    },
    { kind: 'failed', ...at, retryAtMs: 8, message: 'm', errorType: 'E' },
    { kind: 'snoozed', ...at, runAtMs: 8 },
    { kind: 'succeeded', ...at, resultBytes: 3 },
    {
      kind: 'died',
      ...at,
      fencingToken: undefined,
      reason: 'deadline',
      message: 'm',
      errorType: '',
      holdsLane: true,
    },
    { kind: 'cancelRequested', atMs: 1_000, actor: 'a', message: 'm' },
    { kind: 'cancelled', ...at, actor: 'a', message: 'm' },
    { kind: 'redriven', atMs: 1_000, actor: 'a', lifetimeEndAtMs: 4 },
    { kind: 'laneReleased', atMs: 1_000, actor: 'a' },
  ];

  it('have a number for each kind of event', () => {
    const known = Object.values(EventKind).filter((kind) => kind !== EventKind.UNSPECIFIED);
    expect(events.map((event) => wire(event).kind)).toEqual(known);
  });

  it('have a number for each dead reason', () => {
    const numbers = deadReasons.map(deadReasonNumber);
    expect(numbers).toEqual(Object.values(DeadReason));
    const names = deadReasons.map((reason) =>
      (reason ?? 'unspecified').replace(/[A-Z]/g, '_$&').toUpperCase(),
    );
    expect(names).toEqual(Object.keys(DeadReason));
  });

  it.each([
    [0, { atMs: 1_000n, fencingToken: 0n, runAtMs: 5n, deadlineAtMs: 6n, lifetimeEndAtMs: 0n, inLane: true }],
    [1, { fencingToken: 7n, attempt: 2, worker: 'w/i', timeoutAtMs: 9n }],
    [2, { fencingToken: 7n, countsAsRelease: true }],
    [3, { fencingToken: 7n }],
    [4, { runAtMs: 8n, message: 'm', errorType: 'E' }],
    [5, { runAtMs: 8n }],
    [6, { resultBytes: 3 }],
    [7, { fencingToken: 0n, deadReason: DeadReason.DEADLINE, message: 'm', holdsLane: true }],
    [8, { actor: 'a', message: 'm' }],
    [9, { fencingToken: 7n, actor: 'a', message: 'm' }],
    [10, { actor: 'a', lifetimeEndAtMs: 4n }],
    [11, { actor: 'a' }],
  ])('of kind %i keep all fields', (i, fields) => {
    expect(wire(events[i] as TaskEvent)).toMatchObject({ schema: 1, atMs: 1_000n, ...fields });
  });

  it('of an unknown kind are returned without a changed byte', () => {
    const newer = create(TaskEventSchema, { kind: 99 as EventKind, schema: 2, atMs: 5n, message: 'new' });
    const bytes = toBinary(TaskEventSchema, newer);
    const shown = wire({ kind: 'unknown', kindNumber: 99, atMs: 5, bytes });
    expect(toBinary(TaskEventSchema, shown)).toEqual(bytes);
  });
});

describe('options on the wire', () => {
  const carried = (sent: MessageInitShape<typeof SubmitOptionsSchema>) =>
    optionsFromWire(
      fromBinary(SubmitOptionsSchema, toBinary(SubmitOptionsSchema, create(SubmitOptionsSchema, sent))),
    );

  it('of a request are the same after encoding and decoding', () => {
    fc.assert(
      fc.property(optionsRequests, (options) => {
        expect(carried(generatedOptions(options))).toEqual(options);
      }),
    );
  });

  it('of a stored task are the same after encoding and decoding', () => {
    fc.assert(
      fc.property(storedOptions, (options) => {
        // 0 means "absent" on the wire; the validator refuses a backoff factor of 0.
        fc.pre(options.retry.factor !== 0);
        const shown = resolveOptions(carried(optionsOf(options)), 0);
        expect({ ...shown, ownLifetime: options.ownLifetime }).toEqual(options);
      }),
    );
  });
});

describe('errors on the wire', () => {
  it.each(codes)('with code %s keep their number and all fields', (code) => {
    const error = new HoldfastError(code, 'KEY_REUSED', 'what happened', {
      help: 'what to do',
      taskId: 't',
      retryAfterMs: 5,
      violations: [{ field: 'f', description: 'd' }],
    });
    const sent = create(ItemErrorSchema, errorToWire(itemError(error)));
    expect(sent.code).toBe(Code[code]);
    const got = errorFromWire(fromBinary(ItemErrorSchema, toBinary(ItemErrorSchema, sent)));
    expect(itemError(got)).toEqual(itemError(error));
  });
});
