import { expect, test } from 'vitest';
import { type CallPriority, ConcurrencyLimiter } from './concurrency-limiter.ts';

const limits = { all: 4, exceptLeases: 3, claim: 2, submit: 2, background: 1 };

/**
 * Returns a concurrency limiter, `call` to start a call with a name, `end` to end the call with that name, and the
 * names of the calls in the order in which they began.
 */
function site() {
  const limiter = new ConcurrencyLimiter(limits);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const call = (callPriority: CallPriority, name: string): Promise<void> =>
    limiter.run(callPriority, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { limiter, begun, call, end };
}

test('a call with the priority lease runs at once while calls of all other priorities occupy all their slots', () => {
  const { limiter, begun, call } = site();
  for (let i = 0; i < 9; i++) void call('submit', `s${i}`);
  for (let i = 0; i < 9; i++) void call('claim', `c${i}`);
  void call('lease', 'l');
  expect(begun).toEqual(['s0', 's1', 'c0', 'l']);
  expect(limiter.inFlight).toBe(4);
  expect(limiter.waiting).toBe(15);
});

test('the concurrency limiter runs waiting calls by priority, and within a priority in the order of arrival', async () => {
  const { begun, call, end } = site();
  for (const name of ['a', 'b', 'c', 'd']) void call('lease', name);
  for (const callPriority of ['background', 'submit', 'claim', 'lease'] as const) {
    void call(callPriority, `${callPriority}1`);
    void call(callPriority, `${callPriority}2`);
  }
  for (const name of ['a', 'b', 'c', 'd', 'lease1', 'lease2', 'claim1']) await end(name);
  expect(begun.slice(4)).toEqual(['lease1', 'lease2', 'claim1', 'claim2', 'submit1', 'submit2']);
});

test('each priority of the concurrency limiter has its own limit of concurrent calls', async () => {
  const { begun, call, end } = site();
  for (const name of ['b1', 'b2']) void call('background', name);
  for (const name of ['s1', 's2', 's3']) void call('submit', name);
  expect(begun).toEqual(['b1', 's1', 's2']);
  await end('b1');
  expect(begun).toEqual(['b1', 's1', 's2', 'b2']);
});

test('a call that fails frees its slot in the concurrency limiter', async () => {
  const { limiter, call, begun } = site();
  const failing = Array.from({ length: 5 }, () =>
    limiter.run('submit', () => Promise.reject(new Error('no'))),
  );
  const results = await Promise.allSettled(failing);
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  expect(limiter.inFlight).toBe(0);
  void call('submit', 'after');
  expect(begun).toEqual(['after']);
});
