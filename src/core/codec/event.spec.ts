import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generatedEvent } from '../../../test/fixtures/generated-messages.ts';
import { event } from '../../../test/fixtures/message-arbitraries.ts';
import { type DeadReason, EventKind, TaskEventSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { GetTaskHistoryResponseSchema } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { fold } from '../task/evolve.ts';
import { decodeEvent, decodeEvents, encodeEvent, encodeEvents, type Upcast } from './event.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('events', () => {
  it('are encoded to the same bytes as by generated code, and decoded to the same value', () => {
    fc.assert(
      fc.property(event, (one) => {
        const bytes = toBinary(TaskEventSchema, generatedEvent(one));
        expect(hex(encodeEvent(one))).toBe(hex(bytes));
        expect(decodeEvent(bytes)).toEqual(one);
      }),
      { numRuns: 300 },
    );
  });

  it('are encoded as a list to the bytes of a GetTaskHistoryResponse, and the bytes of two lists can be joined', () => {
    fc.assert(
      fc.property(fc.array(event), fc.array(event), (first, second) => {
        const events = [...first, ...second];
        const joined = Buffer.concat([encodeEvents(first), encodeEvents(second)]);
        const history = create(GetTaskHistoryResponseSchema, { events: events.map(generatedEvent) });
        expect(hex(joined)).toBe(hex(toBinary(GetTaskHistoryResponseSchema, history)));
        expect(decodeEvents(joined)).toEqual(events);
      }),
    );
  });

  it('keep a message that ends in half of a surrogate pair; that half becomes U+FFFD', () => {
    const died = { kind: 'cancelRequested', atMs: 1, actor: 'a', message: 'cut here \ud83d' } as const;
    expect(decodeEvent(encodeEvent(died))).toEqual({ ...died, message: 'cut here \ufffd' });
  });
});

describe('events of a newer version', () => {
  const future = {
    'an unknown kind': { kind: 99 as EventKind },
    'a newer schema of a known kind': { kind: EventKind.SNOOZED, schema: 2 },
    'a death of an unknown reason': { kind: EventKind.DIED, schema: 1, deadReason: 9 as DeadReason },
  };
  it.each(Object.entries(future))(
    'keep their bytes when they are decoded and encoded again: %s',
    (_, shape) => {
      const message = create(TaskEventSchema, { ...shape, atMs: 5n, message: 'from the future' });
      const bytes = Buffer.concat([toBinary(TaskEventSchema, message), Uint8Array.of(0xf2, 7, 2, 1, 2)]);
      const read = decodeEvent(bytes);
      expect(read).toMatchObject({ kind: 'unknown', kindNumber: shape.kind, atMs: 5 });
      expect(hex(encodeEvent(read))).toBe(hex(bytes));
      expect(decodeEvents(encodeEvents([read]))).toEqual([read]);
    },
  );

  it('raise the number of events in the task’s current state and change nothing else', () => {
    const submitted = {
      kind: 'submitted',
      atMs: 1,
      runAtMs: undefined,
      deadlineAtMs: undefined,
      lifetimeEndAtMs: undefined,
      inLane: false,
    } as const;
    const newer = { kind: 'unknown', kindNumber: 99, atMs: 2, bytes: Uint8Array.of(8, 99) } as const;
    expect(fold([submitted, newer])).toEqual({ ...fold([submitted]), version: 2, lastEventAtMs: 2 });
  });
});

describe('events of an older schema', () => {
  // Invented schemas of the `snoozed` event: in schema 0 `message` is the wait in seconds, in schema 1 it is the wait
  // in ms, and in the current schema `runAtMs` is the time at which the wait ends.
  const seconds: Upcast = (older) => ({ ...older, message: String(Number(older.message) * 1_000) });
  const length: Upcast = (older) => ({
    ...older,
    runAtMs: older.atMs + Number(older.message),
    message: '',
    fencingToken: older.fencingToken ?? 1,
  });
  const table = new Map([
    [`${EventKind.SNOOZED}/0`, seconds],
    [`${EventKind.SNOOZED}/1`, length],
  ]);
  const written = (schema: number, message: string) =>
    toBinary(
      TaskEventSchema,
      create(TaskEventSchema, { kind: EventKind.SNOOZED, schema, atMs: 5n, message }),
    );

  it('are converted to the current schema, step by step, when they are read', () => {
    const today = { kind: 'snoozed', atMs: 5, fencingToken: 1, runAtMs: 60_005 };
    expect(decodeEvent(written(0, '60'), table)).toEqual(today);
    expect(decodeEvent(written(1, '60000'), table)).toEqual(today);
  });

  it('are also converted within a list, and the events of other kinds in that list stay unchanged', () => {
    const released = {
      kind: 'claimReleased',
      atMs: 4,
      fencingToken: 9,
      countsAsRelease: true,
      retryAtMs: undefined,
    } as const;
    const old = written(0, '60');
    const list = Buffer.concat([encodeEvents([released]), Uint8Array.of(0x0a, old.length), old]);
    expect(decodeEvents(list, table)).toMatchObject([released, { kind: 'snoozed', runAtMs: 60_005 }]);
  });
});
