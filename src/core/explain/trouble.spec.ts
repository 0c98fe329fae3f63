import { describe, expect, it } from 'vitest';
import { TaskLife } from '../../../test/fixtures/task-life.ts';
import type { Submission } from '../submission/submission.ts';
import type { ExplainedTask } from './facts.ts';
import { isTrouble, TroubleGroups } from './trouble.ts';
import type { Verdict, VerdictCode } from './verdict.ts';

const nowMs = 1_000_000;

function taskOf(id: string, more: Partial<Submission> = {}): ExplainedTask {
  const life = new TaskLife();
  const submission = {
    scope: { tenant: 'default', queue: 'mail', key: id },
    ...{ type: 'note', typeVersion: 3, orderingKey: undefined, acceptedAtMs: nowMs - 60_000, ...more },
  } as Submission;
  return { id, submission, head: life.head, tip: [] };
}

function verdictOf(code: VerdictCode, more: Partial<Verdict> = {}): Verdict {
  return { code, sentence: 'As it is.', evidence: {}, next: '', ...more };
}

interface Row {
  readonly verdict: Verdict;
  readonly one: string;
  readonly two: string;
}

const worker = 'crawler/7';
const since = nowMs - 14_000;
const rows: readonly Row[] = [
  {
    verdict: verdictOf('QUEUE_PAUSED', { sinceMs: since, evidence: { actor: 'alice' } }),
    one: "Queue 'mail' was paused 14 s ago by alice: 1 task waits.",
    two: "Queue 'mail' was paused 14 s ago by alice: 2 tasks wait.",
  },
  {
    verdict: verdictOf('NO_WORKER'),
    one: "1 task waits: no worker takes tasks of queue 'mail'.",
    two: "2 tasks wait: no worker takes tasks of queue 'mail'.",
  },
  {
    verdict: verdictOf('NO_WORKER_FOR_TYPE'),
    one: "1 task of type 'note' waits: no worker of queue 'mail' handles this type.",
    two: "2 tasks of type 'note' wait: no worker of queue 'mail' handles this type.",
  },
  {
    verdict: verdictOf('NO_WORKER_FOR_VERSION', { evidence: { newestHandled: 2 } }),
    one: "1 task of type 'note' waits: no worker handles version 3 (the newest handled is 2).",
    two: "2 tasks of type 'note' wait: no worker handles version 3 (the newest handled is 2).",
  },
  {
    verdict: verdictOf('WORKERS_FULL', { sinceMs: since, evidence: { workers: 4 } }),
    one: "1 task of type 'note' waits for a free slot: all 4 workers that handle it are full.",
    two: "2 tasks of type 'note' wait for a free slot: all 4 workers that handle it are full.",
  },
  {
    verdict: verdictOf('WORKERS_FULL', { sinceMs: since, evidence: { workers: 1 } }),
    one: "1 task of type 'note' waits for a free slot: the only worker that handles it is full.",
    two: "2 tasks of type 'note' wait for a free slot: the only worker that handles it is full.",
  },
  {
    verdict: verdictOf('LANE_HELD_BY_DEAD', { evidence: { blockedByTaskId: '1-x' } }),
    one: "Lane '' of queue 'mail' is held by dead task 1-x: 1 task waits.",
    two: "Lane '' of queue 'mail' is held by dead task 1-x: 2 tasks wait.",
  },
  {
    verdict: verdictOf('BACKOFF', { evidence: { error: 'no route to host' } }),
    one: "1 task of type 'note' failed and waits for a next attempt: no route to host.",
    two: "2 tasks of type 'note' failed and wait for a next attempt: no route to host.",
  },
  {
    verdict: verdictOf('BACKOFF', { evidence: { losses: 1 } }),
    one: "1 task of type 'note' waits for a next attempt, after a worker ended or gave it back.",
    two: "2 tasks of type 'note' wait for a next attempt, after a worker ended or gave them back.",
  },
  {
    verdict: verdictOf('RUNNING_SILENT', { sinceMs: since, evidence: { worker } }),
    one: '1 task is held by worker crawler/7, which has sent no heartbeat for up to 14 s.',
    two: '2 tasks are held by worker crawler/7, which has sent no heartbeat for up to 14 s.',
  },
  {
    verdict: verdictOf('LEASE_LOST', { evidence: { worker } }),
    one: '1 task waits to run elsewhere: worker crawler/7 has not renewed its lease.',
    two: '2 tasks wait to run elsewhere: worker crawler/7 has not renewed their leases.',
  },
  {
    verdict: verdictOf('SERVER_GRACE', { evidence: { worker } }),
    one: "1 task of queue 'mail' waits for a heartbeat, since a server has just started or stalled.",
    two: "2 tasks of queue 'mail' wait for a heartbeat, since a server has just started or stalled.",
  },
  {
    verdict: verdictOf('CANCEL_ASKED', { sinceMs: nowMs - 90_000, evidence: { worker } }),
    one: '1 task of worker crawler/7 goes on although cancelled, for up to 1 min 30 s.',
    two: '2 tasks of worker crawler/7 go on although cancelled, for up to 1 min 30 s.',
  },
  {
    verdict: verdictOf('MESSAGE_LOST'),
    one: "1 task of queue 'mail' has no message that makes a worker look at it.",
    two: "2 tasks of queue 'mail' have no message that makes a worker look at them.",
  },
  {
    verdict: verdictOf('RUNS_ALONE'),
    one: "1 task of type 'note' has lost workers and waits until nothing else runs in the process of one.",
    two: "2 tasks of type 'note' have lost workers and wait until nothing else runs in the process of one.",
  },
  {
    verdict: verdictOf('STORE_THROTTLED', { evidence: { dependency: 'The table' } }),
    one: 'The table refuses or fails calls: 1 task waits.',
    two: 'The table refuses or fails calls: 2 tasks wait.',
  },
  {
    verdict: verdictOf('STORE_FULL', { evidence: { neededBytes: 128 * 1_048_576 } }),
    one: "The disk of the server's store is full, and no task is accepted or begins until at least 128 MiB of it are free: 1 task waits.",
    two: "The disk of the server's store is full, and no task is accepted or begins until at least 128 MiB of it are free: 2 tasks wait.",
  },
  { verdict: verdictOf('LIMIT_FULL' as never), one: '1 task: As it is.', two: '2 tasks: As it is.' },
];

describe('a group of tasks in trouble', () => {
  it.each(rows)('has a sentence for one task and for two: $one', ({ verdict, one, two }) => {
    const groups = new TroubleGroups();
    groups.add(taskOf('1-a'), verdict, nowMs);
    expect(groups.list(nowMs)).toMatchObject([{ count: 1, sentence: one, next: 'holdfast why 1-a' }]);
    groups.add(taskOf('1-b'), verdict, nowMs);
    expect(groups.list(nowMs)).toMatchObject([{ count: 2, sentence: two, oldestIds: ['1-a', '1-b'] }]);
  });

  it('names the five tasks that were accepted first, and since when the first of them waits', () => {
    const groups = new TroubleGroups();
    for (const i of [5, 2, 8, 1, 9, 3, 7])
      groups.add(taskOf(`1-${i}`, { acceptedAtMs: 1_000 + i }), verdictOf('NO_WORKER'), nowMs);
    expect(groups.list(nowMs)).toMatchObject([
      { count: 7, oldestIds: ['1-1', '1-2', '1-3', '1-5', '1-7'], sinceMs: 1_001 },
    ]);
  });

  it('has the failures that differ in numbers alone, and no others', () => {
    const groups = new TroubleGroups();
    const fail = (id: string, error: string) =>
      groups.add(taskOf(id), verdictOf('BACKOFF', { evidence: { error } }), nowMs);
    fail('1-a', 'timeout after 3000 ms\n at x.ts:1');
    fail('1-b', 'timeout after 3001 ms\n at x.ts:9');
    fail('1-c', 'no such address');
    expect(groups.list(nowMs).map(({ count }) => count)).toEqual([2, 1]);
  });

  it('stands behind a dependency that fails, and before groups with fewer tasks', () => {
    const groups = new TroubleGroups();
    groups.addPausedQueue('closed', { sinceMs: nowMs - 1_000, actor: 'alice' });
    groups.addThrottle({ dependency: 'The table', sinceMs: nowMs - 3_000, retryAtMs: undefined });
    groups.add(taskOf('1-a'), verdictOf('LEASE_LOST', { evidence: { worker } }), nowMs);
    for (const id of ['1-b', '1-c']) groups.add(taskOf(id), verdictOf('NO_WORKER'), nowMs);
    expect(groups.list(nowMs).map(({ code, count, queue }) => [code, count, queue])).toEqual([
      ['STORE_THROTTLED', 0, ''],
      ['NO_WORKER', 2, 'mail'],
      ['LEASE_LOST', 1, 'mail'],
      ['QUEUE_PAUSED', 0, 'closed'],
    ]);
  });

  it('stands for a pause or a failing dependency that concerns its tasks', () => {
    const groups = new TroubleGroups();
    groups.addPausedQueue('mail', undefined);
    groups.addThrottle({ dependency: 'The table', sinceMs: undefined, retryAtMs: undefined });
    groups.add(taskOf('1-a'), verdictOf('QUEUE_PAUSED'), nowMs);
    groups.add(taskOf('1-b'), verdictOf('STORE_THROTTLED', { evidence: { dependency: 'x' } }), nowMs);
    expect(groups.list(nowMs).map(({ count }) => count)).toEqual([1, 1]);
  });
});

describe('an unfinished task', () => {
  it.each([
    ['NOT_DUE', undefined, false],
    ['SNOOZED', undefined, false],
    ['STARTING', since, false],
    ['LANE_WAITS', undefined, false],
    ['RUNNING', since, false],
    ['RESERVED', since, false],
    ['WORKERS_FULL', nowMs - 4_999, false],
    ['WORKERS_FULL', nowMs - 5_000, true],
    ['CANCEL_ASKED', nowMs - 29_999, false],
    ['CANCEL_ASKED', nowMs - 30_000, true],
    ['BACKOFF', undefined, true],
    ['NO_WORKER', undefined, true],
  ] as const)('with the verdict %s since %s is in trouble: %s', (code, sinceMs, expected) => {
    expect(isTrouble(verdictOf(code, { sinceMs }), nowMs)).toBe(expected);
  });
});
