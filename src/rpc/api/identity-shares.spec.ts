import { expect, it } from 'vitest';
import { anyone } from '../../../test/fixtures/api-node.ts';
import { IdentityShares } from './identity-shares.ts';

const named = (name: string) => ({ ...anyone, name });
const shares = () =>
  new IdentityShares({ what: 'things', ofNode: 5, ofIdentity: 3, help: 'Wait.', retryAfterMs: 7 });

it('an identity at its limit is refused, and others are not', () => {
  const held = shares();
  held.take(named('a'), 2);
  expect(() => held.take(named('a'), 2)).toThrow(
    expect.objectContaining({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'LIMIT_REACHED',
      message: "'a' has 2 things on this node, and may have 3.",
      help: 'Wait.',
      retryAfterMs: 7,
      retryable: true,
    }),
  );
  held.take(named('a'));
  held.take(named('b'), 2);
  expect(() => held.take(named('c'))).toThrow('This node has 5 things, and may have 5.');
});

it('things that are given back count no more, and only once', () => {
  const held = shares();
  const give = held.take(named('a'), 3);
  give();
  give();
  expect(held.count).toBe(0);
  held.take(named('a'), 3);
  expect(held.count).toBe(3);
});
