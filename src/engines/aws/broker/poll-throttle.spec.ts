import { expect, test } from 'vitest';
import { silentLog } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Dependency } from '../load/dependency.ts';
import { PollThrottle } from './poll-throttle.ts';

function site() {
  const clock = virtualClock();
  const table = new Dependency('table', clock, silentLog);
  const throttle = new PollThrottle(clock, table);
  const record = (result: 'throttle' | 'answer'): void => {
    for (let i = 0; i < 5; i++) table.record(result, 'UpdateItem', { first: true });
  };
  /** Starts claims of tasks; the claims never end. */
  const claims = (count: number): void => {
    for (let i = 0; i < count; i++) void table.limiter.run('claim', () => new Promise(() => {}));
  };
  return { clock, throttle, record, claims };
}

test('while the breaker of the table is closed, polls of SQS are not delayed', () => {
  const { throttle } = site();
  for (let i = 0; i < 100; i++) expect(throttle.requestPoll()).toBe(0);
  expect(throttle.isSlow).toBe(false);
});

test('while the breaker of the table is open, one poll of SQS a second may start', async () => {
  const { clock, throttle, record } = site();
  record('throttle');
  expect(throttle.isSlow).toBe(true);
  expect(throttle.requestPoll()).toBe(0);
  expect(throttle.requestPoll()).toBe(1_000);
  await clock.advance(400);
  expect(throttle.requestPoll()).toBe(600);
  await clock.advance(600);
  expect(throttle.requestPoll()).toBe(0);
  expect(throttle.requestPoll()).toBe(1_000);
});

test('no poll of SQS may start while 96 task claims are in flight', () => {
  const { throttle, claims } = site();
  claims(95);
  expect(throttle.requestPoll()).toBe(0);
  claims(1);
  expect(throttle.requestPoll()).toBe(50);
});

test('after the breaker of the table has closed, no poll of SQS may start while 8 task claims are in flight, and this limit doubles each second', async () => {
  const { clock, throttle, record, claims } = site();
  record('throttle');
  await clock.advance(1_000);
  record('answer');
  expect(throttle.isSlow).toBe(true);
  claims(7);
  expect(throttle.requestPoll()).toBe(0);
  claims(1);
  expect(throttle.requestPoll()).toBe(50);
  await clock.advance(1_000);
  expect(throttle.requestPoll()).toBe(0);
  await clock.advance(3_000);
  expect(throttle.isSlow).toBe(false);
});
