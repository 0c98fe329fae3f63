import { expect, test } from 'vitest';
import { limits } from '../../core/limits.ts';
import type { WorkerView } from '../service.ts';
import {
  announcementIn,
  announcementLastsMs,
  announcementOf,
  bytesOf,
  isCurrent,
  maxKindsBytes,
  maxNamedWorkers,
  namedWorkersOf,
  unnamedWorkersOf,
  type WorkerAnnouncement,
} from './worker-announcement.ts';

const identity = { id: 'p-1', node: 'host/1', writtenAtMs: 1_000_000 };
/** The maximum size of a DynamoDB item, in bytes. */
const itemBytes = 409_600;

function worker(i: number, more: Partial<WorkerView> = {}): WorkerView {
  return {
    tenant: 'default',
    name: `host-${String(i).padStart(4, '0')}/7`,
    id: `0198c5f2-1c7e-7c4e-8f6a-${String(i).padStart(12, '0')}`,
    queues: ['mail'],
    types: ['send'],
    maxVersions: [1],
    inFlight: i,
    reserved: i % 2,
    connectedAtMs: 5,
    node: 'host/1',
    unlistedCount: 0,
    polls: false,
    ...more,
  };
}

const many = (count: number, more: Partial<WorkerView> = {}) =>
  Array.from({ length: count }, (_, i) => worker(i, more));

/**
 * Returns a worker with the longest names and the most queues and types that are allowed. Each `i` gives other queues and
 * types.
 */
function largest(i: number): WorkerView {
  const names = (count: number) =>
    Array.from({ length: count }, (_, k) => `${i}-${k}-`.padEnd(limits.nameChars, 'x'));
  return worker(i, {
    name: '\u0001'.repeat(limits.keyChars),
    id: '\u0001'.repeat(limits.nameChars),
    queues: names(limits.workerQueues),
    types: names(limits.workerTypes),
    maxVersions: Array<number>(limits.workerTypes).fill(4_294_967_295),
    room: { freeTasks: limits.inFlightTasks, fullTypes: names(limits.workerTypes) },
  });
}

/** Returns the worker announcement as it is read from the registry. */
const stored = (announcement: WorkerAnnouncement): WorkerAnnouncement | undefined =>
  announcementIn({ value: JSON.parse(JSON.stringify(announcement)) });

test('a worker announcement lists each of 50 workers with all fields, even if their queues and types differ', () => {
  const other = {
    tenant: 'acme',
    queues: ['mail', 'bulk'],
    types: ['send', '__proto__'],
    maxVersions: [2, 1],
  };
  const workers = [...many(maxNamedWorkers - 1), worker(9_999, other)];
  const announcement = stored(announcementOf(identity, workers));
  expect(announcement).toMatchObject({ count: maxNamedWorkers, isComplete: true });
  expect(announcement && namedWorkersOf(announcement)).toEqual(workers);
  expect(announcement && unnamedWorkersOf(announcement)).toEqual([]);
});

test('a worker announcement lists the first 50 workers by name, and only counts the others per set of queues and types', () => {
  const workers = many(1_000);
  const rare = worker(9_999, { types: ['rare'] });
  const announcement = announcementOf(identity, [rare, ...workers.toReversed()]);
  expect(namedWorkersOf(announcement)).toEqual(workers.slice(0, maxNamedWorkers));
  const unnamed = { name: '', id: '', inFlight: 0, reserved: 0, connectedAtMs: 0 };
  expect(unnamedWorkersOf(announcement)).toEqual([
    worker(0, { ...unnamed, unlistedCount: 950 }),
    { ...rare, ...unnamed, unlistedCount: 1 },
  ]);
  expect(announcement).toMatchObject({ count: 1_001, isComplete: true });
});

test('a worker of an announcement that does not say how many tasks are reserved has none', () => {
  const announcement = stored(announcementOf(identity, [worker(0, { inFlight: 3, reserved: 0 })]));
  expect(announcement?.kinds[0]?.named[0]).not.toHaveProperty('reserved');
  expect(announcement && namedWorkersOf(announcement)).toMatchObject([{ inFlight: 3, reserved: 0 }]);
});

test('a worker announcement says how much room each named worker has, and the unnamed ones of a kind together', () => {
  const room = (freeTasks: number, fullTypes: readonly string[] = []) => ({ room: { freeTasks, fullTypes } });
  const types = { types: ['send', 'copy'], maxVersions: [1, 1] };
  const workers = many(maxNamedWorkers + 2).map((one, i) => ({
    ...one,
    ...types,
    ...room(i, i === 1 ? ['copy'] : []),
  }));
  const announcement = stored(announcementOf(identity, workers));
  const named = announcement === undefined ? [] : namedWorkersOf(announcement);
  const announcedAtMs = identity.writtenAtMs;
  expect(named[0]?.room).toEqual({ freeTasks: 0, fullTypes: [], announcedAtMs });
  expect(named[1]?.room).toEqual({ freeTasks: 1, fullTypes: ['copy'], announcedAtMs });
  expect(announcement && unnamedWorkersOf(announcement)).toMatchObject([
    { unlistedCount: 2, room: { freeTasks: 2 * maxNamedWorkers + 1, fullTypes: [], announcedAtMs } },
  ]);
});

test('a worker announcement by an earlier version, or of workers that poll, leaves open whether they have room', () => {
  const mixed = [
    ...many(maxNamedWorkers + 1),
    worker(maxNamedWorkers + 1, { room: { freeTasks: 1, fullTypes: [] } }),
  ];
  const announcement = stored(announcementOf(identity, mixed));
  const views = announcement && [...namedWorkersOf(announcement), ...unnamedWorkersOf(announcement)];
  expect(views?.some((view) => 'room' in view)).toBe(false);
});

test('a worker announcement fits in one DynamoDB write unit (1 KB) for one worker, and in 6 KB for 1,000 similar workers', () => {
  expect(bytesOf(announcementOf(identity, many(1)))).toBeLessThan(500);
  expect(bytesOf(announcementOf(identity, many(1_000)))).toBeLessThan(6_144);
});

test('a worker announcement without room for all sets of queues and types is marked incomplete, and fits in a DynamoDB item', () => {
  const kinds = Array.from({ length: 20 }, (_, i) => largest(i));
  expect(announcementOf(identity, kinds.slice(0, 10)).isComplete).toBe(true);
  const workers = [...Array.from({ length: maxNamedWorkers }, () => largest(0)), ...kinds];
  const announcement = announcementOf(identity, workers);
  expect(announcement).toMatchObject({ count: 70, isComplete: false });
  expect(announcement.kinds).toHaveLength(10);
  expect(namedWorkersOf(announcement)).toHaveLength(maxNamedWorkers);
  expect(bytesOf(announcement)).toBeGreaterThan(maxKindsBytes);
  expect(bytesOf(announcement)).toBeLessThan(itemBytes);
});

test('a worker announcement is current if it has a worker and its time is less than 3 minutes before or after now', () => {
  const announcement = announcementOf(identity, many(1));
  const at = (ms: number) => isCurrent(announcement, identity.writtenAtMs + ms);
  expect([at(0), at(announcementLastsMs - 1), at(announcementLastsMs)]).toEqual([true, true, false]);
  expect([at(-2_000), at(-announcementLastsMs)]).toEqual([true, false]);
  expect(isCurrent(announcementOf(identity, []), identity.writtenAtMs)).toBe(false);
});

test('a registry entry of another format is not read as a worker announcement and is not current', () => {
  const kinds = [{ tenant: 'default', queues: ['mail'], types: ['send'], workers: [{ name: 'w' }] }];
  const values = [
    null,
    7,
    'text',
    [],
    {},
    { ...identity, kinds, isComplete: true },
    { format: 3, ...identity },
  ];
  expect(values.map((value) => announcementIn({ value }))).toEqual(values.map(() => undefined));
  expect(isCurrent(undefined, identity.writtenAtMs)).toBe(false);
});
