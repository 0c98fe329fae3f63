import { expect, it } from 'vitest';
import { Memo } from './memo.ts';

it('a memo keeps as many results as it may, and forgets them all for a further one', () => {
  const memo = new Memo<string, number>(2);
  expect(memo.set('a', 1)).toBe(1);
  memo.set('b', 2);
  expect([memo.get('a'), memo.get('b'), memo.get('c')]).toEqual([1, 2, undefined]);
  memo.set('c', 3);
  expect([memo.get('a'), memo.get('b'), memo.get('c')]).toEqual([undefined, undefined, 3]);
});
