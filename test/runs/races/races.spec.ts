import { expect, it } from 'vitest';
import { raceOnAws } from './on-aws.ts';
import { raceOnSqlite } from './on-sqlite.ts';
import { hasSingleWinner, type Race } from './race.ts';

const count = 20;

it('one of two processes that claim a task on SQLite at once wins, and the error of the other names the winner', async () => {
  const races = await raceOnSqlite(count);
  expect(races.length).toBe(count);
  expect(races.filter((race) => !hasSingleWinner(race))).toEqual([]);
});

it('one of two nodes that claim a task on DynamoDB at once wins, and the error of the other names the winner', async () => {
  const races = await raceOnAws(count, 1);
  expect(races.length).toBe(count);
  expect(races.filter((race) => !hasSingleWinner(race))).toEqual([]);
  expect(races[0]?.lost[0]).toMatchObject({ cause: 'ConditionalCheckFailedException' });
  expect(new Set(races.flatMap(({ winners }) => winners)).size).toBe(2);
});

it('a claim race fails with two winners, no winner, a refused settlement or a loser without an error', () => {
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
