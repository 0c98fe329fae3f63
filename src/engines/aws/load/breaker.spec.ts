import { expect, test } from 'vitest';
import type { Log } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Breaker } from './breaker.ts';

function site() {
  const clock = virtualClock();
  const told: string[] = [];
  const note = (_fields: object, message: string): void => void told.push(message.replace(/:.*/, ''));
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const breaker = new Breaker('table', clock, log);
  const calls = (how: 'good' | 'bad', count: number): void => {
    for (let i = 0; i < count; i++) breaker[how]();
  };
  return { clock, breaker, calls, told };
}

test.each([
  { good: 0, bad: 5 },
  { good: 10, bad: 10 },
  { good: 172, bad: 81 },
  { good: 700, bad: 279 },
])(
  'opens once more than a quarter went badly within four seconds, beyond chance: $bad beside $good',
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

test('a few bad calls alone open nothing', () => {
  const { breaker, calls } = site();
  calls('bad', 4);
  expect(breaker.state).toBe('closed');
});

test('one hot shard of four leaves it closed, however many calls there are', () => {
  const { breaker, calls } = site();
  for (let i = 0; i < 100; i++) {
    calls('good', 3);
    calls('bad', 1);
  }
  expect(breaker.state).toBe('closed');
});

test('forgets calls after four seconds', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 4);
  await clock.advance(4_000);
  calls('bad', 4);
  expect(breaker.state).toBe('closed');
  calls('bad', 1);
  expect(breaker.state).toBe('open');
});

test('open for a second, then half open; five good calls close it', async () => {
  const { clock, breaker, calls, told } = site();
  calls('bad', 5);
  expect(breaker.leftMs).toBe(1_000);
  await clock.advance(999);
  expect(breaker.state).toBe('open');
  await clock.advance(1);
  expect(breaker.state).toBe('halfOpen');
  expect(breaker.leftMs).toBe(0);
  calls('good', 4);
  expect(breaker.state).toBe('halfOpen');
  calls('good', 1);
  expect(breaker.state).toBe('closed');
  expect(told).toEqual(['breaker open', 'breaker half open', 'breaker closed']);
});

test('three bad calls of a trial open it again, twice as long each time, up to four seconds', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  for (const openMs of [1_000, 2_000, 4_000, 4_000]) {
    expect(breaker.leftMs).toBe(openMs);
    await clock.advance(openMs);
    calls('good', 4);
    calls('bad', 2);
    expect(breaker.state).toBe('halfOpen');
    calls('bad', 1);
    expect(breaker.state).toBe('open');
  }
  expect(breaker.opened).toBe(5);
});

test('after it closed, what went badly before is forgotten', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  await clock.advance(1_000);
  calls('good', 5);
  calls('bad', 4);
  expect(breaker.state).toBe('closed');
});

test('calls that end while it is open change nothing', async () => {
  const { clock, breaker, calls } = site();
  calls('bad', 5);
  calls('good', 100);
  calls('bad', 100);
  expect(breaker.opened).toBe(1);
  await clock.advance(1_000);
  expect(breaker.state).toBe('halfOpen');
});

test('where nobody calls, it closes ten seconds after it became half open; not where a call went badly', async () => {
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
