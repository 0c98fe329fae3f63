import { expect, test } from 'vitest';
import { silentLog } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Dependency } from '../load/dependency.ts';
import { PollThrottle } from './poll-throttle.ts';

function site() {
  const clock = virtualClock();
  const table = new Dependency('table', clock, silentLog);
  const throttle = new PollThrottle(clock, table);
  const met = (met: 'throttle' | 'answer'): void => {
    for (let i = 0; i < 5; i++) table.record(met, 'UpdateItem', true);
  };
  /** Calls that never end. */
  const claims = (count: number): void => {
    for (let i = 0; i < count; i++) void table.limiter.run('claim', () => new Promise(() => {}));
  };
  return { clock, throttle, met, claims };
}

test('as long as the table is well, bells are asked for as fast as there is room', () => {
  const { throttle } = site();
  for (let i = 0; i < 100; i++) expect(throttle.take()).toBe(0);
  expect(throttle.slow).toBe(false);
});

test('while its breaker is open or half open, once a second', async () => {
  const { clock, throttle, met } = site();
  met('throttle');
  expect(throttle.slow).toBe(true);
  expect(throttle.take()).toBe(0);
  expect(throttle.take()).toBe(1_000);
  await clock.advance(400);
  expect(throttle.take()).toBe(600);
  await clock.advance(600);
  expect(throttle.take()).toBe(0);
  expect(throttle.take()).toBe(1_000);
});

test('not beyond 96 claims under way: what is throttled would only be heard again', () => {
  const { throttle, claims } = site();
  claims(95);
  expect(throttle.take()).toBe(0);
  claims(1);
  expect(throttle.take()).toBe(50);
});

test('after it closed, few claims at once, then twice as many each second', async () => {
  const { clock, throttle, met, claims } = site();
  met('throttle');
  await clock.advance(1_000);
  met('answer');
  expect(throttle.slow).toBe(true);
  claims(7);
  expect(throttle.take()).toBe(0);
  claims(1);
  expect(throttle.take()).toBe(50);
  await clock.advance(1_000);
  expect(throttle.take()).toBe(0);
  await clock.advance(3_000);
  expect(throttle.slow).toBe(false);
});
