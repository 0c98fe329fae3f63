import { expect, it } from 'vitest';
import { anyone } from '../../../test/fixtures/api-node.ts';
import { IdentityShares, streamShares } from './identity-shares.ts';

const named = (name: string) => ({ ...anyone, name });
const shares = () =>
  new IdentityShares({ plural: 'open files', ofNode: 5, ofIdentity: 3, help: 'Wait.', retryAfterMs: 7 });

it('an identity at its limit is refused, and others are not', () => {
  const held = shares();
  held.take(named('a'), 2);
  expect(() => held.take(named('a'), 2)).toThrow(
    expect.objectContaining({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'LIMIT_REACHED',
      message: "'a' has 2 open files on this node, and may have 3.",
      help: 'Wait.',
      retryAfterMs: 7,
      retryable: true,
    }),
  );
  held.take(named('a'));
  held.take(named('b'), 2);
  expect(() => held.take(named('c'))).toThrow('This node has 5 open files, and may have 5.');
});

it('a share that is given back counts no more, and only once', () => {
  const held = shares();
  const give = held.take(named('a'), 3);
  give();
  give();
  expect(held.count).toBe(0);
  held.take(named('a'), 3);
  expect(held.count).toBe(3);
});

it('work counts in the share of its identity until it has ended, also with an error', async () => {
  const held = shares();
  const { promise, resolve } = Promise.withResolvers<string>();
  const working = held.during(named('a'), () => promise);
  expect(held.count).toBe(1);
  resolve('answer');
  expect(await working).toBe('answer');
  await expect(held.during(named('a'), () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(held.count).toBe(0);
  held.take(named('a'), 3);
  let hasBegun = false;
  const begin = async () => {
    hasBegun = true;
  };
  await expect(held.during(named('a'), begin)).rejects.toMatchObject({ reason: 'LIMIT_REACHED' });
  expect(hasBegun).toBe(false);
});

it('the open streams of an identity, and of the node, are limited with a reason of their own', () => {
  const streams = streamShares({ streams: 3, streamsPerIdentity: 2 });
  streams.take(named('a'));
  streams.take(named('a'));
  expect(() => streams.take(named('a'))).toThrow(
    expect.objectContaining({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'TOO_MANY_STREAMS',
      retryable: true,
      message: "'a' has 2 open streams on this node, and may have 2.",
    }),
  );
  streams.take(named('b'));
  expect(() => streams.take(named('c'))).toThrow('This node has 3 open streams, and may have 3.');
});
