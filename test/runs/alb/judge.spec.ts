import { expect, it } from 'vitest';
import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { Evidence, TaskRecord } from '../deploys/judge.ts';
import { judgeAlb } from './judge.ts';

const worker = 'host/7/w';
const events = (claimedAtMs: number): TaskEvent[] =>
  [
    { kind: 'submitted', atMs: 0, inLane: false },
    { kind: 'claimed', atMs: claimedAtMs, fencingToken: 1, attempt: 1, worker, begins: false },
    {
      kind: 'leaseExpired',
      atMs: claimedAtMs + 32_000,
      fencingToken: 1,
      begun: 'unknown',
      countsAsLoss: true,
    },
    { kind: 'died', atMs: claimedAtMs + 32_000, reason: 'workerLost', message: '' },
  ] as unknown as TaskEvent[];

function evidenceOf(maxAttempts: number, begunAtMs?: number): Evidence {
  const task: TaskRecord = { id: 'a', queue: 'q', type: 't', maxAttempts, events: events(1_000) };
  const call = { id: 'a', fencingToken: 1, attempt: 1, pid: 7, end: undefined };
  return {
    acknowledged: ['a'],
    tasks: [task],
    calls: begunAtMs === undefined ? [] : [{ ...call, beganAtMs: begunAtMs }],
    workers: [],
    ...{ poison: '', serverKillsAtMs: [], recalls: [], cancelled: new Set<string>() },
  };
}

it('a lease that expired is a fault of the load balancer’s run', () => {
  const { leasesLost, unknown } = judgeAlb(evidenceOf(5), [1_100]);
  expect([leasesLost.length, unknown.length]).toEqual([1, 0]);
});

it('the lease of a task that may begin once is no fault if it never began, and a stopped server had just assigned it', () => {
  const { leasesLost, lost, others, unknown } = judgeAlb(evidenceOf(1), [1_100]);
  expect([leasesLost, lost, others]).toEqual([[], [], []]);
  expect(unknown).toHaveLength(1);
});

it.each([
  ['no server was stopped', [], undefined],
  ['a server was stopped before the claim', [900], undefined],
  ['the task had begun', [1_100], 1_050],
])('the lease of a task that may begin once is a fault if %s', (_, stopsAtMs, begunAtMs) => {
  const { leasesLost, unknown } = judgeAlb(evidenceOf(1, begunAtMs), stopsAtMs);
  expect([leasesLost.length, unknown.length]).toEqual([1, 0]);
});
