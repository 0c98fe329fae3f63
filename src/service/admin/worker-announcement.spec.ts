import { expect, test } from 'vitest';
import { limits } from '../../core/limits.ts';
import type { WorkerView } from '../service.ts';
import {
  bytesOf,
  isCurrent,
  lineLastsMs,
  lineOf,
  mostLineBytes,
  type WorkersLine,
  workersOf,
} from './worker-announcement.ts';

const who = { id: 'p-1', node: 'host/1', writtenAtMs: 1_000_000 };
/** What the texts of a line take beside its workers. */
const aroundBytes = 200;

function worker(i: number, more: Partial<WorkerView> = {}): WorkerView {
  return {
    tenant: 'default',
    name: `host-${i}/7`,
    id: `0198c5f2-1c7e-7c4e-8f6a-${String(i).padStart(12, '0')}`,
    queues: ['mail'],
    types: ['send'],
    maxVersions: [1],
    inFlight: i,
    connectedAtMs: 5,
    node: 'host/1',
    othersAlike: 0,
    ...more,
  };
}

const many = (count: number, more: Partial<WorkerView> = {}) =>
  Array.from({ length: count }, (_, i) => worker(i, more));

/** As the registry gives it back. */
const kept = (line: WorkersLine): WorkersLine => JSON.parse(JSON.stringify(line)) as WorkersLine;

test('tells every worker as it is, whatever its kind', () => {
  const workers = [
    ...many(3),
    worker(3, {
      tenant: 'acme',
      queues: ['mail', 'bulk'],
      types: ['send', '__proto__'],
      maxVersions: [2, 1],
    }),
  ];
  const line = kept(lineOf(who, workers));
  expect(workersOf(line)).toEqual(workers);
  expect(line.isComplete).toBe(true);
});

test('one worker takes less than a write unit holds', () => {
  expect(bytesOf(lineOf(who, many(1)))).toBeLessThan(500);
});

test('names as many as have room, and counts the others', () => {
  const line = lineOf(who, many(1_000));
  const told = workersOf(line);
  expect(bytesOf(line)).toBeLessThan(mostLineBytes + aroundBytes);
  expect(told.length).toBeGreaterThan(60);
  expect(told.length + (told[0]?.othersAlike ?? 0)).toBe(1_000);
  expect(told.slice(1).every(({ othersAlike }) => othersAlike === 0)).toBe(true);
  expect(line.isComplete).toBe(true);
});

test('tells each kind before it names a second worker of any', () => {
  const workers = [...many(1_000), worker(0, { types: ['print'] }), worker(1, { tenant: 'acme' })];
  const told = workersOf(lineOf(who, workers));
  expect(told.filter(({ types }) => types[0] === 'print')).toHaveLength(1);
  expect(told.filter(({ tenant }) => tenant === 'acme')).toHaveLength(1);
  expect(told.reduce((sum, { othersAlike }) => sum + 1 + othersAlike, 0)).toBe(1_002);
});

test('says so where there are kinds that found no room, and leaves out the rarest', () => {
  const rare = Array.from({ length: 1_000 }, (_, i) => worker(i, { queues: [`queue-${i}`] }));
  const line = lineOf(who, [...rare, ...many(2)]);
  expect(workersOf(line)[0]?.queues).toEqual(['mail']);
  expect(bytesOf(line)).toBeLessThan(mostLineBytes + aroundBytes);
  expect(line.isComplete).toBe(false);
});

test('tells a worker of as many types and queues as there may be, whatever it takes', () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, i) => `${i}`.padEnd(limits.nameChars, 'x'));
  const types = names(limits.workerTypes);
  const large = worker(0, {
    queues: names(limits.workerQueues),
    types,
    maxVersions: types.map(() => 4_294_967_295),
  });
  const line = lineOf(who, [large]);
  expect(workersOf(line)).toEqual([large]);
  expect(bytesOf(line)).toBeLessThan(4 * mostLineBytes);
});

test('counts while it is not older than 3 minutes, by a clock that may be off, and while it names somebody', () => {
  const line = lineOf(who, many(1));
  const at = (ms: number) => isCurrent(line, who.writtenAtMs + ms);
  expect([at(0), at(lineLastsMs - 1), at(lineLastsMs)]).toEqual([true, true, false]);
  expect([at(-2_000), at(-lineLastsMs)]).toEqual([true, false]);
  expect(isCurrent(lineOf(who, []), who.writtenAtMs)).toBe(false);
});
