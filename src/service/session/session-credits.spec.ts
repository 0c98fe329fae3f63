import { expect, it } from 'vitest';
import { SessionCredits } from './session-credits.ts';

it('a session counts credits above 4,096, and gives the worker at most 4,096 tasks at once', () => {
  const types = [{ type: 'note', maxVersion: 1, tasks: 4_096 }];
  const credits = new SessionCredits({ tasks: 4_096, bytes: 0, types });
  credits.add(1_904, 0, [{ type: 'note', tasks: 1_904 }]);
  expect([credits.tasks, credits.tasksOf('note'), credits.roomOfType?.('note')]).toEqual([
    4_096, 4_096, 4_096,
  ]);
  credits.claimBegins({ tasks: 2_000, bytes: 0, types: Array(2_000).fill('note') });
  expect([credits.tasks, credits.tasksOf('note'), credits.roomOfType?.('note')]).toEqual([
    4_000, 4_000, 4_000,
  ]);
});
