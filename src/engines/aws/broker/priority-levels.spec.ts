import { expect, test } from 'vitest';
import { levelOf, PriorityRotation } from './priority-levels.ts';

test('a message of an enabled priority goes to the SQS queue of that priority', () => {
  for (const priority of ['high', 'normal', 'low'] as const) {
    expect(levelOf(priority, ['high', 'normal', 'low'])).toBe(priority);
  }
});

test('a message of a priority that is not enabled goes to the SQS queue of the nearest one, and if two are equally near, to the higher one', () => {
  expect(levelOf('high', ['normal'])).toBe('normal');
  expect(levelOf('low', ['normal'])).toBe('normal');
  expect(levelOf('high', ['low'])).toBe('low');
  expect(levelOf('high', ['low', 'normal'])).toBe('normal');
  expect(levelOf('low', ['high', 'normal'])).toBe('normal');
  expect(levelOf('normal', ['low', 'high'])).toBe('high');
});

test('every 16th receive that returns messages begins at the SQS queue of the lowest priority', () => {
  const rotation = new PriorityRotation();
  const first: (string | undefined)[] = [];
  for (let i = 0; i < 32; i++) {
    first.push(rotation.levels[0]);
    rotation.countReceive();
  }
  expect(first.map((level, i) => (level === 'low' ? i : -1)).filter((i) => i >= 0)).toEqual([15, 31]);
  expect(first.filter((level) => level === 'high')).toHaveLength(30);
});
