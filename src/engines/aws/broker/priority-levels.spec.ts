import { expect, test } from 'vitest';
import { levelOf, PriorityRotation } from './priority-levels.ts';

test('an enabled priority is its own level', () => {
  for (const priority of ['high', 'normal', 'low'] as const) {
    expect(levelOf(priority, ['high', 'normal', 'low'])).toBe(priority);
  }
});

test('one that is not enabled falls to the nearest, between two to the higher', () => {
  expect(levelOf('high', ['normal'])).toBe('normal');
  expect(levelOf('low', ['normal'])).toBe('normal');
  expect(levelOf('high', ['low'])).toBe('low');
  expect(levelOf('high', ['low', 'normal'])).toBe('normal');
  expect(levelOf('low', ['high', 'normal'])).toBe('normal');
  expect(levelOf('normal', ['low', 'high'])).toBe('high');
});

test('every sixteenth receive that brings something begins at the lowest', () => {
  const rotation = new PriorityRotation();
  const first: (string | undefined)[] = [];
  for (let i = 0; i < 32; i++) {
    first.push(rotation.levels[0]);
    rotation.received();
  }
  expect(first.map((level, i) => (level === 'low' ? i : -1)).filter((i) => i >= 0)).toEqual([15, 31]);
  expect(first.filter((level) => level === 'high')).toHaveLength(30);
});
