import { expect, it } from 'vitest';
import { limits } from '../../core/limits.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { createHeldLeases, type HeldLease } from './held-leases.ts';

const payloadBytes = 200_000;
const most = Math.floor(limits.heldCallBytes / payloadBytes);

function leaseOf(i: number, sessionId?: string): HeldLease {
  const submission = { spec: new Uint8Array(payloadBytes) };
  const head = { fencingToken: 1, leaseEndAtMs: 0 };
  return {
    snapshot: { id: String(i), submission, head } as unknown as Snapshot,
    receiptHandle: '',
    sessionId,
    begun: false,
  };
}

it('a node keeps the leases of single claim calls in memory up to a limit in bytes, and forgets the oldest first', () => {
  const held = createHeldLeases();
  for (let i = 0; i < 3 * most; i++) held.put(leaseOf(i));
  const kept = Array.from({ length: 3 * most }, (_, i) => held.get(String(i), 1) !== undefined);
  expect(kept.indexOf(true)).toBeGreaterThanOrEqual(2 * most);
  expect(kept.lastIndexOf(false)).toBeLessThan(kept.indexOf(true));
  expect(kept.filter(Boolean).length).toBeGreaterThan(most - 2);
});

it('leases that a node has dropped, replaced or pruned from memory no longer count towards its memory limit', () => {
  const held = createHeldLeases();
  held.put(leaseOf(-1));
  for (let i = 0; i < 3 * most; i++) {
    held.put(leaseOf(i));
    held.put(leaseOf(i));
    held.drop(String(i), 1);
  }
  expect(held.get('-1', 1)).toBeDefined();
  for (let i = 0; i < most - 3; i++) held.put(leaseOf(i));
  held.prune(Number.MAX_SAFE_INTEGER);
  held.put(leaseOf(-2));
  for (let i = 0; i < most - 3; i++) held.put(leaseOf(i));
  expect(held.get('-2', 1)).toBeDefined();
});

it('leases of worker sessions do not count towards a node’s memory limit for leases', () => {
  const held = createHeldLeases();
  for (let i = 0; i < 2 * most; i++) held.put(leaseOf(i, 's'));
  expect(held.counts(({ sessionId }) => sessionId)).toEqual(new Map([['s', 2 * most]]));
});

it('a held lease records when its last heartbeat arrived, and only under its own fencing token', () => {
  const held = createHeldLeases();
  held.put(leaseOf(1, 's'));
  expect(held.get('1', 1)?.lastReportAtMs).toBeUndefined();
  held.reported('1', 2, 500);
  expect(held.get('1', 1)?.lastReportAtMs).toBeUndefined();
  held.reported('1', 1, 700);
  expect(held.get('1', 1)?.lastReportAtMs).toBe(700);
});
