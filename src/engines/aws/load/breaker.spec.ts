import { expect, test } from 'vitest';
import type { Log } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Breaker } from './breaker.ts';

function site() {
  const clock = virtualClock();
  const logged: string[] = [];
  const note = (_fields: object, message: string): void => void logged.push(message.replace(/:.*/, ''));
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const breaker = new Breaker('table', clock, log);
  const calls = (outcome: 'good' | 'bad', count: number): void => {
    for (let i = 0; i < count; i++) breaker[outcome]();
  };
  return { clock, breaker, calls, logged };
}

test.each([
  { good: 0, bad: 5 },
  { good: 10, bad: 10 },
  { good: 172, bad: 81 },
  { good: 700, bad: 279 },
])(
  'the breaker opens when significantly more than a quarter of the calls of 4 s are bad: $bad bad, $good good',
  async ({ good, bad }) => {
    const { breaker, calls } = site();
    calls('good', good);
    calls('bad', bad - 1);
    expect(breaker.state).toBe('closed');
    calls('bad', 1);
    expect(breaker.state).toBe('open');
    expect(breaker.opened).toBe(1);
  },
);

test('the breaker stays closed with 4 bad calls and no good one', () => {
  const { breaker, calls } = site();
  calls('bad', 4);
  expect(breaker.state).toBe('closed');
});

test('the breaker stays closed while a quarter of the calls is bad, however many calls there are', () => {
  const { breaker, calls } = site();
  for (let i = 0; i < 100; i++) {
    calls('good', 3);
    calls('bad', 1);
  }
  expect(breaker.state).toBe('closed');
});

test('the breaker stays closed while the bad calls write to one shard, however often they are repeated', () => {
  const { breaker } = site();
  for (let i = 0; i < 100; i++) {
    for (const place of [0, 1, 2]) breaker.good(place);
    for (let repeat = 0; repeat < 20; repeat++) breaker.bad(3);
  }
  expect(breaker.state).toBe('closed');
  expect(breaker.opened).toBe(0);
});

test('the breaker opens at the same share of bad calls when all shards have it', () => {
  const { breaker } = site();
  for (let i = 0; i < 320; i++) breaker.good(i % 4);
  let bad = 0;
  while (breaker.state === 'closed') breaker.bad(bad++ % 4);
  expect(bad / (320 + bad)).toBeLessThan(0.305);
});

test('the breaker opens when the calls of two shards are bad, or those of no shard alone', () => {
  for (const places of [[2, 3], [undefined]]) {
    const { breaker } = site();
    for (let i = 0; i < 100; i++) {
      for (const place of [0, 1]) breaker.good(place);
      for (const place of places) breaker.bad(place);
    }
    expect(breaker.state).toBe('open');
  }
});

test('the breaker forgets calls after 4 s', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 4);
  await clock.advance(4_000);
  calls('bad', 4);
  expect(breaker.state).toBe('closed');
  calls('bad', 1);
  expect(breaker.state).toBe('open');
});

test('the breaker is open for 1 s, then half open until five good calls close it', async () => {
  const { clock, breaker, calls, logged } = site();
  calls('bad', 5);
  expect(breaker.halfOpenInMs).toBe(1_000);
  await clock.advance(999);
  expect(breaker.state).toBe('open');
  await clock.advance(1);
  expect(breaker.state).toBe('halfOpen');
  expect(breaker.halfOpenInMs).toBe(0);
  calls('good', 4);
  expect(breaker.state).toBe('halfOpen');
  calls('good', 1);
  expect(breaker.state).toBe('closed');
  expect(logged).toEqual(['breaker open', 'breaker half open', 'breaker closed']);
});

test('three bad calls open a half-open breaker again, for twice as long each time, up to 4 s', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  for (const openMs of [1_000, 2_000, 4_000, 4_000]) {
    expect(breaker.halfOpenInMs).toBe(openMs);
    await clock.advance(openMs);
    calls('good', 4);
    calls('bad', 2);
    expect(breaker.state).toBe('halfOpen');
    calls('bad', 1);
    expect(breaker.state).toBe('open');
  }
  expect(breaker.opened).toBe(5);
});

test('a breaker that has closed again no longer counts the bad calls from before it opened', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  await clock.advance(1_000);
  calls('good', 5);
  calls('bad', 4);
  expect(breaker.state).toBe('closed');
});

test('calls that end while the breaker is open do not change its state', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  calls('good', 100);
  calls('bad', 100);
  expect(breaker.opened).toBe(1);
  await clock.advance(1_000);
  expect(breaker.state).toBe('halfOpen');
});

test('a half-open breaker closes after 10 s without calls, but not if a call was bad', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  await clock.advance(1_000 + 9_999);
  expect(breaker.state).toBe('halfOpen');
  await clock.advance(1);
  expect(breaker.state).toBe('closed');
  calls('bad', 5);
  await clock.advance(1_000);
  calls('bad', 1);
  await clock.advance(20_000);
  expect(breaker.state).toBe('halfOpen');
});
