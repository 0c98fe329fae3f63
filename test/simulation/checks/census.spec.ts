import { expect, it } from 'vitest';
import { Census, shortfall } from './census.ts';

const faults = [
  'crash',
  'crash at store.append, before',
  'stream cut',
  'clock jump',
  'lost store response',
  'slow store',
];

function full(): Census {
  const census = new Census();
  for (let i = 0; i < 3; i++) census.node(`node-${i}`);
  for (let i = 0; i < 5; i++) census.worker(`worker-${i}/id`);
  for (let i = 0; i < 60; i++) census.task(`mail/lane-${i % 6}`);
  return census;
}

it('a simulated cluster of 3 nodes, 5 workers, 60 tasks, 6 ordering keys and 5 kinds of fault is large enough to count as a test', () => {
  expect(shortfall(full().counts(faults))).toBeUndefined();
});

it('an orderly simulated cluster, in which nothing fails by chance, needs no faults', () => {
  expect(shortfall(full().counts([]), true)).toBeUndefined();
  expect(shortfall(full().counts([]))).toBe('this seed does not count: 0 faults of at least 5');
});

it('a smaller simulated cluster does not count as a test; a restarted node counts once, and so do crashes at different places', () => {
  const census = new Census();
  census.node('node-0');
  census.node('node-0');
  const message = shortfall(census.counts(['crash', 'crash at store.read, after', 'slow store']));
  expect(message).toBe(
    'this seed does not count: 1 nodes of at least 3, 0 workers of at least 5, 0 tasks of at least 60, ' +
      '0 lanes of at least 6, 2 faults of at least 5',
  );
});
