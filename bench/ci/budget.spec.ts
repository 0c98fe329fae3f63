import { expect, it } from 'vitest';
import { judge } from './budget.ts';

const budget = { submit: { syncs: 0.01, rowsWritten: 2, allocatedBytes: 10_000 } } as const;
const failuresOf = (counts: Partial<Record<keyof (typeof budget)['submit'], number>>): readonly string[] =>
  judge({ submit: { ...budget.submit, ...counts } }, budget).failures;

it('a count may grow by 5 % and allocations by 10 %, and no further', () => {
  expect(failuresOf({ rowsWritten: 2.1, allocatedBytes: 10_990 })).toEqual([]);
  expect(failuresOf({ rowsWritten: 2.11 })).toHaveLength(1);
  expect(failuresOf({ allocatedBytes: 11_010 })).toHaveLength(1);
});

it('a count that grew is named with its budget, its value and the command that writes the budget', () => {
  expect(failuresOf({ rowsWritten: 3 })).toEqual([
    'submit/rowsWritten is 3 a task, its budget is 2: 50.0 % above it, at most 5.0 % is allowed. If it is worth it, run npm run bench:ci -- --write and commit bench/ci/budget.json with the change.',
  ]);
});

it('a count whose budget is 0 may not appear', () => {
  const none = { duplicate: { syncs: 0 } };
  expect(judge(none, none).failures).toEqual([]);
  expect(judge({ duplicate: { syncs: 0.01 } }, none).failures).toEqual([
    expect.stringMatching(/^duplicate\/syncs is 0\.01 a task, its budget is 0: above 0, /),
  ]);
});

it('a count that shrank fails nothing and says that its budget can be lowered', () => {
  const { failures, notes } = judge({ submit: { ...budget.submit, rowsWritten: 1 } }, budget);
  expect(failures).toEqual([]);
  expect(notes).toEqual([
    'submit/rowsWritten is 1 a task, its budget is 2: 50.0 % below it. Run npm run bench:ci -- --write to lower the budget.',
  ]);
});

it('a count without a budget, and a budget without a count, fail', () => {
  const { failures } = judge({ claim: { syncs: 1 } }, { submit: { syncs: 1 } });
  expect(failures).toEqual([
    'claim/syncs is 1 a task and has no budget: run npm run bench:ci -- --write.',
    'submit/syncs has a budget and is not counted any more: run npm run bench:ci -- --write.',
  ]);
});
