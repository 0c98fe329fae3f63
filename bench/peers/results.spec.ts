import { expect, it } from 'vitest';
import type { Peer } from './peer.ts';
import { compareRows, type Measured, ratioOf } from './results.ts';
import type { RowName } from './rounds.ts';

const singly = 'submit singly, 64 in flight';
const idle = 'idle submit to start, p50';

function measured(name: string, how: Partial<Peer>, ...rounds: Partial<Record<RowName, number>>[]): Measured {
  const peer = { name, isSynced: true, kind: 'queue', ...how } as Peer;
  return { peer, rounds: rounds.map((values) => new Map(Object.entries(values)) as never) };
}

it('a ratio above 1 means that Holdfast is better, in rows of rates and of times', () => {
  expect(ratioOf(singly, 30_000, 20_000)).toBe(1.5);
  expect(ratioOf(idle, 1, 1.5)).toBe(1.5);
});

it('Holdfast is compared with the best of the task queues that sync before their answer, by the medians of the rounds', () => {
  const rows = compareRows([
    measured(
      'holdfast',
      {},
      { [singly]: 10, [idle]: 4 },
      { [singly]: 30, [idle]: 2 },
      { [singly]: 900, [idle]: 1 },
    ),
    measured('slow', {}, { [singly]: 15, [idle]: 1 }),
    measured('fast', {}, { [singly]: 20, [idle]: 8 }),
    measured('unsynced', { isSynced: false }, { [singly]: 100, [idle]: 0.1 }),
    measured('log', { kind: 'log' }, { [singly]: 200, [idle]: 0.1 }),
  ]);
  expect(rows).toEqual([
    { row: singly, unit: '/s', holdfast: 30, bestSyncedPeer: 20, peer: 'fast', ratio: 1.5 },
    { row: idle, unit: 'ms', holdfast: 2, bestSyncedPeer: 1, peer: 'slow', ratio: 0.5 },
  ]);
});

it('a row has no ratio if no peer could be measured', () => {
  expect(compareRows([measured('holdfast', {}, { [singly]: 10 })])).toEqual([
    { row: singly, unit: '/s', holdfast: 10, bestSyncedPeer: null, peer: null, ratio: null },
  ]);
});
