import { describe, expect, it } from 'vitest';
import type { EventRecord } from './history.ts';
import { type Evidence, judge, type TaskRecord } from './judge.ts';
import type { Acknowledgement, HandlerCall } from './ledger.ts';

const event = (kind: EventRecord['kind'], atMs: number, fencingToken = 0, attempt = 0): EventRecord => ({
  ...{ kind, atMs, fencingToken, attempt },
});
const task = (change: Partial<TaskRecord> = {}): TaskRecord => ({
  ...{ id: 'a', key: 'key-a', plan: 'well', inputHash: 'in', resultHash: 'out' },
  ...{ state: 'succeeded', deadReason: undefined },
  events: [event('submitted', 10), event('claimed', 20, 7, 1), event('succeeded', 30, 7)],
  ...change,
});
const call = (change: Partial<HandlerCall> = {}): HandlerCall => ({
  ...{ id: 'a', key: 'key-a', fencingToken: 7, attempt: 1, inputHash: 'in', process: 'w:1', beganAtMs: 100 },
  end: { atMs: 110, how: 'well', resultHash: 'out' },
  ...change,
});
const acknowledgement = (change: Partial<Acknowledgement> = {}): Acknowledgement => ({
  ...{ id: 'a', key: 'key-a', inputHash: 'in', lane: '', seq: 0, atMs: 90 },
  ...change,
});

/** A run with one task, in which everything is right, with these changes. */
const evidence = (change: Partial<Evidence> = {}): Evidence => ({
  acknowledged: [acknowledgement()],
  tasks: [task()],
  calls: [call()],
  settlements: [],
  listed: [{ id: 'a', key: 'key-a' }],
  ...change,
});

const none = { lost: 0, doubled: 0, overwritten: 0, outOfOrder: 0, stuck: 0 };
function counts(change: Partial<Evidence>) {
  const { lost, doubled, overwritten, outOfOrder, stuck } = judge(evidence(change));
  const length = (faults: readonly unknown[]): number => faults.length;
  return {
    lost: length(lost),
    doubled: length(doubled),
    overwritten: length(overwritten),
    outOfOrder: length(outOfOrder),
    stuck: length(stuck),
  };
}

const expired = [
  event('submitted', 10),
  event('claimed', 20, 7, 1),
  event('leaseExpired', 25, 7),
  event('claimed', 26, 8, 1),
  event('succeeded', 30, 8),
];

describe('the judge of npm run chaos', () => {
  it('finds no fault in a task that one handler ended', () => {
    expect(counts({})).toEqual(none);
  });

  it('counts a handler that runs again after a lost lease as a repeat and not as a fault', () => {
    const calls = [
      call({ beganAtMs: 100, end: { atMs: 150, how: 'well', resultHash: 'older' } }),
      call({ fencingToken: 8, beganAtMs: 140, process: 'w:2' }),
    ];
    const again = { tasks: [task({ events: expired })], calls };
    expect(counts(again)).toEqual(none);
    expect(judge(evidence(again)).repeats).toEqual({ afterLostLease: 1, late: 1 });
  });

  it('counts neither a planned failure nor a snooze as a repeat', () => {
    const events = [
      event('submitted', 10),
      event('claimed', 20, 7, 1),
      event('failed', 21, 7),
      event('claimed', 22, 8, 2),
      event('snoozed', 23, 8),
      event('claimed', 24, 9, 2),
      event('succeeded', 30, 9),
    ];
    const calls = [
      call({ end: { atMs: 101, how: 'failed', resultHash: '-' } }),
      call({ fencingToken: 8, beganAtMs: 102, end: { atMs: 103, how: 'snoozed', resultHash: '-' } }),
      call({ fencingToken: 9, beganAtMs: 104 }),
    ];
    const again = { tasks: [task({ events })], calls };
    expect(counts(again)).toEqual(none);
    expect(judge(evidence(again)).repeats).toEqual({ afterLostLease: 0, late: 0 });
  });

  it.each<[string, Partial<Evidence>]>([
    ['an acknowledged task that does not exist', { tasks: [], calls: [], listed: [] }],
    ['a task that succeeded without a handler', { calls: [] }],
    ['a task that succeeded although its handler did not end', { calls: [call({ end: undefined })] }],
    ['a dead task that should succeed', { tasks: [task({ state: 'dead', deadReason: 'workerLost' })] }],
    ['a task that nobody cancelled', { tasks: [task({ state: 'cancelled' })] }],
  ])('finds as lost: %s', (_, change) => {
    expect(counts(change)).toEqual({ ...none, lost: 1 });
  });

  it.each<[string, Partial<Evidence>]>([
    [
      'a key that was acknowledged with two ids',
      {
        acknowledged: [acknowledgement(), acknowledgement({ id: 'b' })],
        tasks: [task(), task({ id: 'b' })],
        calls: [call(), call({ id: 'b' })],
      },
    ],
    [
      'a key whose second task only the list shows',
      {
        listed: [
          { id: 'a', key: 'key-a' },
          { id: 'b', key: 'key-a' },
        ],
      },
    ],
    ['a key whose second task only a worker saw', { calls: [call(), call({ id: 'b' })] }],
    ['a claim under which two handlers began', { calls: [call(), call({ process: 'w:2' })] }],
    ['a history with two ends', { tasks: [task({ events: [...task().events, event('succeeded', 40, 7)] })] }],
    [
      'two accepted settlements that ended one task',
      {
        tasks: [task({ events: expired })],
        calls: [call(), call({ fencingToken: 8, beganAtMs: 140 })],
        settlements: [
          { id: 'a', fencingToken: 7, how: 'well', process: 'w:1' },
          { id: 'a', fencingToken: 8, how: 'well', process: 'w:2' },
        ],
      },
    ],
  ])('finds as doubled: %s', (_, change) => {
    expect(counts(change)).toEqual({ ...none, doubled: 1 });
  });

  it.each<[string, Partial<Evidence>]>([
    ['an input other than the acknowledged one', { acknowledged: [acknowledgement({ inputHash: 'other' })] }],
    ['an input that a worker got otherwise', { calls: [call({ inputHash: 'other' })] }],
    ['a task with another key', { acknowledged: [acknowledgement({ key: 'key-b' })] }],
    ['a result that its handler did not return', { tasks: [task({ resultHash: 'other' })] }],
    [
      'a key that was accepted with a second input',
      { acknowledged: [acknowledgement(), acknowledgement({ inputHash: 'other' })] },
    ],
    [
      'a handler under a claim that the history does not have',
      { calls: [call(), call({ fencingToken: 6, beganAtMs: 50 })] },
    ],
    [
      'an accepted settlement that the history does not have',
      { settlements: [{ id: 'a', fencingToken: 7, how: 'failed', process: 'w:1' }] },
    ],
    [
      'an end by the holder of an older claim',
      {
        tasks: [task({ events: [...expired.slice(0, 4), event('succeeded', 30, 7)] })],
        calls: [call(), call({ fencingToken: 8 })],
      },
    ],
    [
      'a fencing token that does not rise',
      {
        tasks: [
          task({
            events: [
              event('submitted', 10),
              event('claimed', 20, 7, 1),
              event('claimReleased', 21, 7),
              event('claimed', 22, 7, 1),
              event('succeeded', 30, 7),
            ],
          }),
        ],
      },
    ],
    [
      'a claim of a task that is running',
      { tasks: [task({ events: expired.toSpliced(2, 1) })], calls: [call(), call({ fencingToken: 8 })] },
    ],
  ])('finds as overwritten: %s', (_, change) => {
    const found = counts(change);
    expect({ ...found, doubled: 0 }).toEqual({ ...none, overwritten: 1 });
  });

  const lane = (change: Partial<Evidence>): Partial<Evidence> => ({
    acknowledged: [
      acknowledgement({ lane: 'l', seq: 0 }),
      acknowledgement({ id: 'b', key: 'key-b', lane: 'l', seq: 1 }),
    ],
    tasks: [task(), task({ id: 'b', key: 'key-b' })],
    calls: [call(), call({ id: 'b', key: 'key-b', beganAtMs: 111 })],
    listed: [],
    ...change,
  });

  it('finds no fault in a lane whose tasks begin one after the other', () => {
    expect(counts(lane({}))).toEqual(none);
  });

  it('finds no fault in a lane if a handler with a lost lease begins late', () => {
    const stale = call({ fencingToken: 7, beganAtMs: 500, end: undefined, process: 'w:2' });
    const calls = [stale, call({ fencingToken: 8 }), call({ id: 'b', key: 'key-b', beganAtMs: 111 })];
    expect(
      counts(lane({ tasks: [task({ events: expired }), task({ id: 'b', key: 'key-b' })], calls })),
    ).toEqual(none);
  });

  it.each<[string, Partial<Evidence>]>([
    [
      'a task of a lane that began before the one before it had ended',
      lane({ calls: [call(), call({ id: 'b', key: 'key-b', beganAtMs: 109 })] }),
    ],
    [
      'a task of a lane that began while an earlier one waited for its second attempt',
      lane({
        tasks: [task({ events: expired }), task({ id: 'b', key: 'key-b' })],
        calls: [
          call({ end: undefined }),
          call({ id: 'b', key: 'key-b', beganAtMs: 120, end: { atMs: 130, how: 'well', resultHash: 'out' } }),
          call({ fencingToken: 8, beganAtMs: 140, end: { atMs: 150, how: 'well', resultHash: 'out' } }),
        ],
      }),
    ],
    [
      'a history whose times run backwards',
      {
        tasks: [
          task({ events: [event('submitted', 10), event('claimed', 20, 7, 1), event('succeeded', 19, 7)] }),
        ],
      },
    ],
  ])('finds as out of order: %s', (_, change) => {
    expect(counts(change)).toEqual({ ...none, outOfOrder: 1 });
  });

  it('finds as stuck: a task that has not ended', () => {
    const events = [event('submitted', 10), event('claimed', 20, 7, 1)];
    expect(counts({ tasks: [task({ state: 'running', events })] })).toEqual({ ...none, stuck: 1 });
  });
});
