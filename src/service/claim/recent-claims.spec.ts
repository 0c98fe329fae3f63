import { expect, it } from 'vitest';
import { encodeLease } from '../../core/codec/lease.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { type ClaimSource, RecentClaims } from './recent-claims.ts';

function assignment(id: string, receiptHandle = ''): Assignment {
  const lease = encodeLease({ id, fencingToken: 1, secret: '', version: 1, timeoutAtMs: 1, receiptHandle });
  return { id, lease } as Assignment;
}

/**
 * Creates a claim source: `claim` returns `tasks`, and `reload` returns the requested tasks that are also in `held`.
 * `claims` counts the calls of `claim`.
 */
function claimSource(tasks: readonly Assignment[], held: readonly Assignment[] = tasks) {
  const count = { claims: 0 };
  const source: ClaimSource = {
    claim: async () => {
      count.claims++;
      return tasks;
    },
    reload: async (claimed) => held.filter(({ id }) => claimed.some((one) => one.id === id)),
  };
  return Object.assign(count, source);
}

it('a repeat of a claim request within a minute gets the tasks of the first request whose leases are still held', async () => {
  const recent = new RecentClaims();
  const source = claimSource([assignment('a'), assignment('b')], [assignment('b')]);
  await recent.once('k', 0, source);
  expect((await recent.once('k', timing.claimRepeatMs - 1, source)).map(({ id }) => id)).toEqual(['b']);
  expect(source.claims).toBe(1);
  await recent.once('k', timing.claimRepeatMs, source);
  expect(source.claims).toBe(2);
});

it('a repeat of a claim request that arrives while the first request still waits gets the tasks of the first request', async () => {
  const recent = new RecentClaims();
  const source = claimSource([assignment('a')]);
  const both = await Promise.all([recent.once('k', 0, source), recent.once('k', 0, source)]);
  expect(both.map((tasks) => tasks.map(({ id }) => id))).toEqual([['a'], ['a']]);
  expect(source.claims).toBe(1);
});

it('a claim request is not remembered if it got no tasks, if it failed, or once all leases that it got have ended', async () => {
  const recent = new RecentClaims();
  const nothing = claimSource([]);
  const settled = claimSource([assignment('a')], []);
  for (let i = 0; i < 2; i++) {
    expect(await recent.once('k', 0, nothing)).toEqual([]);
    await recent.once('l', 0, settled);
  }
  expect([nothing.claims, settled.claims]).toEqual([2, 2]);
  const before = recent.bytes;
  const broken: ClaimSource = { ...nothing, claim: () => Promise.reject(new Error('no')) };
  await expect(recent.once('m', 0, broken)).rejects.toThrow('no');
  expect(recent.bytes).toBe(before);
});

it('a node remembers claim requests for repeats up to a memory limit, and forgets the oldest first', async () => {
  const recent = new RecentClaims();
  const receiptHandle = 'h'.repeat(1_000);
  const source = claimSource(Array.from({ length: 100 }, (_, i) => assignment(String(i), receiptHandle)));
  for (let i = 0; i < 100; i++) await recent.once(String(i), 0, source);
  expect(source.claims).toBe(100);
  // Old claim requests are only forgotten when the next request arrives.
  await recent.once('99', 0, source);
  expect(source.claims).toBe(100);
  expect(recent.bytes).toBeLessThanOrEqual(limits.recentClaimBytes);
  expect(recent.bytes).toBeGreaterThan(limits.recentClaimBytes / 2);
  await recent.once('0', 0, source);
  expect(source.claims).toBe(101);
});
