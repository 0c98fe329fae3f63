import { expect, it } from 'vitest';
import { raceOnAws } from './on-aws.ts';
import { raceOnSqlite } from './on-sqlite.ts';
import { hasSingleWinner, type Race } from './race.ts';

const count = 20;

it('of two processes that claim one task on SQLite at one instant, one wins and the other is told who', async () => {
  const races = await raceOnSqlite(count);
  expect(races.length).toBe(count);
  expect(races.filter((race) => !hasSingleWinner(race))).toEqual([]);
});

it('of two nodes that claim one task on the table at one instant, one wins and the other is told who', async () => {
  const races = await raceOnAws(count, 1);
  expect(races.length).toBe(count);
  expect(races.filter((race) => !hasSingleWinner(race))).toEqual([]);
  expect(races[0]?.lost[0]).toMatchObject({ cause: 'ConditionalCheckFailedException' });
  expect(new Set(races.flatMap(({ winners }) => winners)).size).toBe(2);
});

it('is no single winner: two, none, a settlement that did not stand, a loser that nothing was told of', () => {
  const lost = {
    kind: 'lost',
    taskId: 't',
    winner: 'ann/1',
    message: '',
    code: '',
    reason: '',
    cause: undefined,
  } as const;
  const race: Race = { taskId: 't', winners: ['ann'], settled: true, lost: [lost] };
  expect(hasSingleWinner(race)).toBe(true);
  expect(hasSingleWinner({ ...race, winners: ['ann', 'bob'] })).toBe(false);
  expect(hasSingleWinner({ ...race, winners: [] })).toBe(false);
  expect(hasSingleWinner({ ...race, settled: false })).toBe(false);
  expect(hasSingleWinner({ ...race, lost: [] })).toBe(false);
  expect(hasSingleWinner({ ...race, winners: ['bob'] })).toBe(false);
});
