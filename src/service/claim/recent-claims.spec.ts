import { expect, it } from 'vitest';
import { encodeLease } from '../../core/codec/lease.ts';
import { limits, timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { type Asking, RecentClaims } from './recent-claims.ts';

function assignment(id: string, receiptHandle = ''): Assignment {
  const lease = encodeLease({ id, fencingToken: 1, version: 1, timeoutAtMs: 1, receiptHandle });
  return { id, lease } as Assignment;
}

/** Claims `tasks`, and has them again as long as `held` says. */
function asking(tasks: readonly Assignment[], held: readonly Assignment[] = tasks) {
  const asked = { claims: 0 };
  const parts: Asking = {
    claim: async () => {
      asked.claims++;
      return tasks;
    },
    again: async (claimed) => held.filter(({ id }) => claimed.some((one) => one.id === id)),
  };
  return Object.assign(asked, parts);
}

it('a repeat within a minute is answered with what was claimed, as it is now', async () => {
  const recent = new RecentClaims();
  const asked = asking([assignment('a'), assignment('b')], [assignment('b')]);
  await recent.once('k', 0, asked);
  expect((await recent.once('k', timing.claimRepeatMs - 1, asked)).map(({ id }) => id)).toEqual(['b']);
  expect(asked.claims).toBe(1);
  await recent.once('k', timing.claimRepeatMs, asked);
  expect(asked.claims).toBe(2);
});

it('a repeat that comes while the first one waits is answered with its claims', async () => {
  const recent = new RecentClaims();
  const asked = asking([assignment('a')]);
  const both = await Promise.all([recent.once('k', 0, asked), recent.once('k', 0, asked)]);
  expect(both.map((tasks) => tasks.map(({ id }) => id))).toEqual([['a'], ['a']]);
  expect(asked.claims).toBe(1);
});

it('an answer without tasks, one of which nothing holds any more, and a failure are not remembered', async () => {
  const recent = new RecentClaims();
  const nothing = asking([]);
  const settled = asking([assignment('a')], []);
  for (let i = 0; i < 2; i++) {
    expect(await recent.once('k', 0, nothing)).toEqual([]);
    await recent.once('l', 0, settled);
  }
  expect([nothing.claims, settled.claims]).toEqual([2, 2]);
  const before = recent.bytes;
  const broken: Asking = { ...nothing, claim: () => Promise.reject(new Error('no')) };
  await expect(recent.once('m', 0, broken)).rejects.toThrow('no');
  expect(recent.bytes).toBe(before);
});

it('no more is remembered than a node may, and the newest of it', async () => {
  const recent = new RecentClaims();
  const receiptHandle = 'h'.repeat(1_000);
  const asked = asking(Array.from({ length: 100 }, (_, i) => assignment(String(i), receiptHandle)));
  for (let i = 0; i < 100; i++) await recent.once(String(i), 0, asked);
  expect(asked.claims).toBe(100);
  // The next question is what makes room.
  await recent.once('99', 0, asked);
  expect(asked.claims).toBe(100);
  expect(recent.bytes).toBeLessThanOrEqual(limits.recentClaimBytes);
  expect(recent.bytes).toBeGreaterThan(limits.recentClaimBytes / 2);
  await recent.once('0', 0, asked);
  expect(asked.claims).toBe(101);
});
