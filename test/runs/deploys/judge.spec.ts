import { describe, expect, it } from 'vitest';
import type {
  ClaimedEvent,
  DiedEvent,
  FailedEvent,
  LeaseExpiredEvent,
  SubmittedEvent,
  TaskEvent,
} from '../../../src/core/task/event.ts';
import { type Evidence, judge, pidOf, type Recall, type TaskRecord, type WorkerRecord } from './judge.ts';
import { type HandlerCall, parseLedger } from './ledger.ts';

const submitted: SubmittedEvent = {
  ...{ kind: 'submitted', atMs: 0, runAtMs: undefined, deadlineAtMs: undefined },
  ...{ lifetimeEndAtMs: undefined, inLane: false },
};
const claimed = (atMs: number, fencingToken: number, attempt = 1, pid = 7): ClaimedEvent => ({
  ...{
    kind: 'claimed',
    atMs,
    fencingToken,
    attempt,
    worker: `host/${pid}/id`,
    timeoutAtMs: atMs + 60_000,
    begins: true,
  },
});
const succeeded = (atMs: number, fencingToken: number): TaskEvent => ({
  ...{ kind: 'succeeded', atMs, fencingToken, resultBytes: 0 },
});
const failed = (atMs: number, fencingToken: number): FailedEvent => ({
  ...{ kind: 'failed', atMs, fencingToken, retryAtMs: atMs, message: '', errorType: '' },
});
const released = (atMs: number, fencingToken: number): TaskEvent => ({
  ...{ kind: 'claimReleased', atMs, fencingToken, countsAsRelease: false, retryAtMs: undefined },
});
const cancelled = (atMs: number): TaskEvent => ({
  ...{ kind: 'cancelled', atMs, fencingToken: undefined, actor: '', message: '' },
});
const died = (atMs: number, reason: DiedEvent['reason']): DiedEvent => ({
  ...{ kind: 'died', atMs, fencingToken: undefined, reason, message: '', errorType: '', holdsLane: false },
});
const expired = (
  atMs: number,
  fencingToken: number,
  more: Partial<LeaseExpiredEvent> = {},
): LeaseExpiredEvent => ({
  ...{
    kind: 'leaseExpired',
    atMs,
    fencingToken,
    begun: 'yes',
    alone: false,
    countsAsLoss: true,
    retryAtMs: undefined,
  },
  ...more,
});

function task(id: string, events: readonly TaskEvent[], more: Partial<TaskRecord> = {}): TaskRecord {
  return { id, queue: 'q', type: 't', maxAttempts: 5, events: [submitted, ...events], ...more };
}
const call = (id: string, fencingToken: number, beganAtMs: number, more: Partial<HandlerCall> = {}) => ({
  ...{ id, fencingToken, attempt: 1, pid: 7, beganAtMs, end: { atMs: beganAtMs + 5, how: 'well' as const } },
  ...more,
});
const worker = (pid: number, end?: WorkerRecord['end']): WorkerRecord => ({
  ...{ pid, kind: 'sdk', slots: 8, readyAtMs: 0, stoppedAtMs: undefined, end },
});
const poison = task('poison', [claimed(1, 1), expired(9, 1), died(9, 'workerLost')]);
const poisonCall = call('poison', 1, 2, { end: undefined });

/** Judges tasks beside a poison that ends as it should. */
function judgementOf(tasks: readonly TaskRecord[], some: Partial<Evidence> = {}) {
  const { calls = [], ...rest } = some;
  return judge({
    acknowledged: tasks.map(({ id }) => id),
    tasks: [poison, ...tasks],
    calls: [poisonCall, ...calls],
    workers: [worker(7)],
    poison: 'poison',
    serverKillsAtMs: [],
    recalls: [],
    cancelled: new Set(),
    ...rest,
  });
}
const nothing = {
  ...{
    lost: [],
    innocentsDead: [],
    attemptsNotBegun: [],
    leasesLost: [],
    begunAfterRecall: [],
    begunTwice: [],
    lostAtBegin: [],
  },
  poisonFault: undefined,
};
const idsOf = (faults: readonly { readonly id: string }[]): string[] => faults.map(({ id }) => id);

describe('the judge of deploys', () => {
  it('finds no fault in tasks that succeed at once, after a release, after a failure, and that were cancelled', () => {
    const tasks = [
      task('a', [claimed(1, 1), succeeded(9, 1)]),
      task('b', [claimed(1, 1), released(2, 1), claimed(3, 2), succeeded(9, 2)]),
      task('c', [claimed(1, 1), failed(3, 1), claimed(4, 2, 2), succeeded(9, 2)]),
      task('d', [cancelled(5)]),
    ];
    const calls = [call('a', 1, 2), call('b', 2, 4), call('c', 1, 2), call('c', 2, 5)];
    expect(judgementOf(tasks, { calls, cancelled: new Set(['d']) })).toEqual(nothing);
  });

  it('counts as lost a task without an end, without a record, or cancelled by nobody', () => {
    const tasks = [task('a', [claimed(1, 1)]), task('b', [cancelled(5)])];
    const { lost } = judgementOf(tasks, { acknowledged: ['a', 'b', 'missing'] });
    expect(idsOf(lost)).toEqual(['missing', 'a', 'b']);
  });

  it('counts as lost a task that succeeded although no handler ended well under the lease that succeeded', () => {
    const events = [claimed(1, 1), expired(40, 1), claimed(41, 2), succeeded(50, 2)];
    const end = { atMs: 45, how: 'aborted' as const };
    const calls = [call('a', 1, 2), call('a', 2, 42, { end })];
    expect(idsOf(judgementOf([task('a', events)], { calls }).lost)).toEqual(['a']);
    expect(idsOf(judgementOf([task('b', [claimed(1, 1), succeeded(9, 1)])]).lost)).toEqual(['b']);
  });

  it('counts every dead task but the poison', () => {
    const tasks = [
      task('a', [claimed(1, 1), expired(40, 1), died(40, 'workerLost')]),
      task('b', [claimed(1, 1), { ...died(9, 'attempts'), fencingToken: 1 }]),
    ];
    const calls = [call('a', 1, 2), call('b', 1, 2)];
    const judgement = judgementOf(tasks, { calls, workers: [worker(7, { atMs: 3, how: 'byItself' })] });
    expect(judgement).toMatchObject({ ...nothing, innocentsDead: [{ id: 'a' }, { id: 'b' }] });
  });

  it('allows a task that may begin once to die with the process in which it began, and only then', () => {
    const lost = (id: string) =>
      task(id, [claimed(1, 1), expired(40, 1), died(40, 'workerLost')], { maxAttempts: 1 });
    const workers = [worker(7, { atMs: 3, how: 'byItself' })];
    expect(judgementOf([lost('a')], { workers, calls: [call('a', 1, 2, { end: undefined })] })).toEqual(
      nothing,
    );
    const unknown = task('b', [claimed(1, 1), expired(40, 1, { begun: 'unknown' }), died(40, 'workerLost')], {
      maxAttempts: 1,
    });
    expect(judgementOf([unknown], { workers })).toMatchObject({
      ...{ innocentsDead: [{ id: 'b' }], attemptsNotBegun: [{ id: 'b' }] },
    });
    const stopped = [worker(7, { atMs: 3, how: 'stopped' })];
    const { innocentsDead } = judgementOf([lost('c')], { workers: stopped, calls: [call('c', 1, 2)] });
    expect(idsOf(innocentsDead)).toEqual(['c']);
  });

  it('names apart a task that may begin once and whose worker ended between the stored report and the call', () => {
    const once = (id: string, begun: LeaseExpiredEvent['begun'], claimedAtMs = 1_000) =>
      task(id, [claimed(claimedAtMs, 1), expired(40_000, 1, { begun }), died(40_000, 'workerLost')], {
        maxAttempts: 1,
      });
    const tasks = [once('a', 'yes'), once('unknown', 'unknown'), once('early', 'yes', 100)];
    const workers = [worker(7, { atMs: 2_500, how: 'byItself' })];
    const { lostAtBegin, innocentsDead, attemptsNotBegun } = judgementOf(tasks, { workers });
    expect([lostAtBegin, innocentsDead, attemptsNotBegun].map(idsOf)).toEqual([
      ['a'],
      ['unknown', 'early'],
      ['unknown', 'early'],
    ]);
    const lived = judgementOf([once('a', 'yes')]);
    expect([lived.lostAtBegin, lived.innocentsDead].map(idsOf)).toEqual([[], ['a']]);
  });

  it('finds a task that may begin once and began twice', () => {
    const once = task('a', [claimed(1, 1), released(3, 1), claimed(4, 2), succeeded(9, 2)], {
      maxAttempts: 1,
    });
    const { begunTwice } = judgementOf([once], { calls: [call('a', 1, 2), call('a', 2, 5)] });
    expect(idsOf(begunTwice)).toEqual(['a']);
  });

  it.each<[string, readonly TaskEvent[]]>([
    ['failed', [claimed(1, 1), failed(3, 1), claimed(4, 2, 2), succeeded(9, 2)]],
    ['ended the task', [claimed(1, 2), { ...died(9, 'attempts'), fencingToken: 2 }]],
    [
      'was lost as an older version recorded it',
      [claimed(1, 1), expired(3, 1, { begun: undefined }), claimed(4, 2, 2), succeeded(9, 2)],
    ],
    [
      'was given back, but not by its number',
      [claimed(1, 1), released(3, 1), claimed(4, 2, 2), succeeded(9, 2)],
    ],
  ])('counts an attempt that never began and %s', (_, events) => {
    const { attemptsNotBegun } = judgementOf([task('a', events)], {
      calls: [call('a', events.length > 2 ? 2 : 9, 5)],
    });
    expect(idsOf(attemptsNotBegun)).toEqual(['a']);
  });

  it('does not count an attempt that never began and was given back by a release or an expiry', () => {
    const gone = [worker(7, { atMs: 3, how: 'byItself' })];
    const events = [
      claimed(1, 1),
      expired(40, 1),
      claimed(41, 2),
      released(42, 2),
      claimed(43, 3),
      succeeded(50, 3),
    ];
    expect(judgementOf([task('a', events)], { workers: gone, calls: [call('a', 3, 44)] })).toEqual(nothing);
  });

  it('starts a new count of attempts at a redrive', () => {
    const redriven: TaskEvent = { kind: 'redriven', atMs: 10, actor: '', lifetimeEndAtMs: 99 };
    const lapsed = died(9, 'deadline');
    const events = [claimed(1, 1, 0), released(2, 1), lapsed, redriven, claimed(11, 2), succeeded(20, 2)];
    expect(judgementOf([task('a', events)], { calls: [call('a', 2, 12)] })).toEqual(nothing);
  });

  describe('of a lease that expired and counts as a loss', () => {
    const lost = task('a', [claimed(1, 1), expired(40, 1), claimed(41, 2), succeeded(50, 2)]);
    const calls = [call('a', 1, 2, { end: undefined }), call('a', 2, 42)];
    const leasesLost = (some: Partial<Evidence>) => judgementOf([lost], { calls, ...some }).leasesLost.length;

    it('counts it if its worker lived on, or was stopped in order', () => {
      expect(leasesLost({})).toBe(1);
      expect(leasesLost({ workers: [worker(7, { atMs: 30, how: 'stopped' })] })).toBe(1);
    });

    it('does not count it if its worker ended by itself before', () => {
      expect(leasesLost({ workers: [worker(7, { atMs: 30, how: 'byItself' })] })).toBe(0);
      expect(leasesLost({ workers: [worker(7, { atMs: 45, how: 'byItself' })] })).toBe(1);
    });

    it('does not count it if a killed server may have taken the assignment with it', () => {
      const second = calls.slice(1);
      expect(leasesLost({ calls: second })).toBe(1);
      expect(leasesLost({ calls: second, serverKillsAtMs: [20] })).toBe(0);
      expect(leasesLost({ calls: second, serverKillsAtMs: [0, 60] })).toBe(1);
      expect(leasesLost({ serverKillsAtMs: [20] })).toBe(1);
    });

    it('does not count an expiry that is no loss, nor one of the poison', () => {
      const spared = task('b', [
        ...[claimed(1, 1), expired(40, 1, { begun: 'no', countsAsLoss: false, retryAtMs: undefined })],
        ...[claimed(41, 2), succeeded(50, 2)],
      ]);
      expect(judgementOf([spared], { calls: [call('b', 2, 42)] }).leasesLost).toEqual([]);
    });
  });

  describe('of a recalled task', () => {
    const recall: Recall = {
      ...{ id: 'a', answeredAtMs: 1_000, untilMs: 9_000, nearMs: 500, farMs: 5_500 },
      near: new Set([7]),
    };
    const begunAfterRecall = (beganAtMs: number, pid: number) =>
      judgementOf([task('a', [claimed(1, 1), succeeded(9_999, 1)])], {
        recalls: [recall],
        calls: [call('a', 1, beganAtMs, { pid })],
      }).begunAfterRecall.length;

    it('counts a begin on the node that answered, later than half a second', () => {
      expect([900, 1_400, 1_501, 8_999, 9_001].map((atMs) => begunAfterRecall(atMs, 7))).toEqual([
        0, 0, 1, 1, 0,
      ]);
    });

    it('counts a begin elsewhere later than the time after which each worker knows', () => {
      expect([1_501, 6_400, 6_501, 9_001].map((atMs) => begunAfterRecall(atMs, 8))).toEqual([0, 0, 1, 0]);
    });
  });

  it.each<[string, TaskRecord | undefined]>([
    ['does not exist', undefined],
    ['has not ended', task('poison', [claimed(1, 1)])],
    ['ended as succeeded', task('poison', [claimed(1, 1), succeeded(9, 1)])],
    ['is dead for another reason: attempts', task('poison', [claimed(1, 1), died(9, 'attempts')])],
  ])('says so if the poison %s', (text, other) => {
    expect(judgementOf([], { tasks: other === undefined ? [] : [other] }).poisonFault).toBe(text);
  });
});

it('the process id of a worker is read from its name, also if the host has slashes', () => {
  expect([pidOf('host/12/id'), pidOf('a/b/13/id'), pidOf('')]).toEqual([12, 13, Number.NaN]);
});

it('a ledger is read up to the last whole line, and a handler without an end has none', () => {
  const text = 'began a 1 10 1\nbegan b 4 11 2\nended a 1 15 well\nended b 4 1';
  expect(parseLedger(text, 7)).toEqual([
    { id: 'a', fencingToken: 1, attempt: 1, pid: 7, beganAtMs: 10, end: { atMs: 15, how: 'well' } },
    { id: 'b', fencingToken: 4, attempt: 2, pid: 7, beganAtMs: 11, end: undefined },
  ]);
});
