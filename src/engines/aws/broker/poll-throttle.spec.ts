import { expect, test } from 'vitest';
import { silentLog } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Dependency } from '../load/dependency.ts';
import { Pace } from './poll-throttle.ts';

function site() {
  const clock = virtualClock();
  const table = new Dependency('table', clock, silentLog);
  const pace = new Pace(clock, table);
  const met = (met: 'throttle' | 'answer'): void => {
    for (let i = 0; i < 5; i++) table.met(met, 'UpdateItem', true);
  };
  /** Calls that never end. */
  const claims = (count: number): void => {
    for (let i = 0; i < count; i++) void table.gate.run('claim', () => new Promise(() => {}));
  };
  return { clock, pace, met, claims };
}

test('as long as the table is well, bells are asked for as fast as there is room', () => {
  const { pace } = site();
  for (let i = 0; i < 100; i++) expect(pace.take()).toBe(0);
  expect(pace.slow).toBe(false);
});

test('while its breaker is open or half open, once a second', async () => {
  const { clock, pace, met } = site();
  met('throttle');
  expect(pace.slow).toBe(true);
  expect(pace.take()).toBe(0);
  expect(pace.take()).toBe(1_000);
  await clock.advance(400);
  expect(pace.take()).toBe(600);
  await clock.advance(600);
  expect(pace.take()).toBe(0);
  expect(pace.take()).toBe(1_000);
});

test('not beyond 96 claims under way: what is throttled would only be heard again', () => {
  const { pace, claims } = site();
  claims(95);
  expect(pace.take()).toBe(0);
  claims(1);
  expect(pace.take()).toBe(50);
});

test('after it closed, few claims at once, then twice as many each second', async () => {
  const { clock, pace, met, claims } = site();
  met('throttle');
  await clock.advance(1_000);
  met('answer');
  expect(pace.slow).toBe(true);
  claims(7);
  expect(pace.take()).toBe(0);
  claims(1);
  expect(pace.take()).toBe(50);
  await clock.advance(1_000);
  expect(pace.take()).toBe(0);
  await clock.advance(3_000);
  expect(pace.slow).toBe(false);
});
