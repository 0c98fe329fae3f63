import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Acceptance, AcceptOutcome } from '../../ports/task-store.ts';
import type { PendingCall } from './commit-batch.ts';
import { smallFirst } from './small-first.ts';

type Call = PendingCall<Acceptance, AcceptOutcome> & { readonly name: number };

const call = (name: number, bytes: number, orderingKey?: string): Call =>
  ({ name, bytes, items: [{ submission: { orderingKey } }] }) as unknown as Call;
const namesOf = (calls: readonly unknown[]): number[] => (calls as Call[]).map(({ name }) => name);

it('small calls go before all large ones but the oldest, if not all fit into one commit', () => {
  const calls = [
    call(1, 200),
    call(2, 300_000),
    call(3, 300_000),
    call(4, 300_000),
    call(5, 200),
    call(6, 100),
  ];
  expect(namesOf(smallFirst(calls, 700_000))).toEqual([2, 1, 5, 6, 3, 4]);
  expect(smallFirst(calls, 1_000_000)).toBe(calls);
});

it('no call is left out, and calls with ordering keys keep their order', () => {
  const anyCall = fc.record({
    bytes: fc.integer({ min: 1, max: 200_000 }),
    lane: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(anyCall, { maxLength: 30 }), (all) => {
      const calls = all.map(({ bytes, lane }, name) => call(name, bytes, lane));
      const ordered = namesOf(smallFirst(calls, 300_000));
      expect(ordered.toSorted((a, b) => a - b)).toEqual(namesOf(calls));
      const withLanes = ordered.filter((name) => all[name]?.lane !== undefined);
      expect(withLanes).toEqual(withLanes.toSorted((a, b) => a - b));
    }),
  );
});
