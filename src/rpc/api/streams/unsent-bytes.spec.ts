import { expect, it } from 'vitest';
import { anyone } from '../../../../test/fixtures/api-node.ts';
import { UnsentBytes } from './unsent-bytes.ts';

it('the unsent bytes of all streams of an identity, and of the node, limit the room of each stream', () => {
  const unsent = new UnsentBytes({ unsentBytes: 150, unsentBytesPerIdentity: 100 });
  const [one, two] = [unsent.of(anyone), unsent.of(anyone)];
  const other = unsent.of({ ...anyone, name: 'other' });
  one.set(70);
  expect([one.roomBytes, two.roomBytes, other.roomBytes]).toEqual([30, 30, 80]);
  other.set(60);
  expect([one.roomBytes, two.roomBytes, other.roomBytes]).toEqual([20, 20, 20]);
  two.set(500);
  expect([two.roomBytes, other.roomBytes]).toEqual([0, 0]);
  for (const stream of [one, two, other]) stream.set(0);
  expect([one.roomBytes, other.roomBytes]).toEqual([100, 100]);
});

it('a stream that found no room is called once another stream has left room, and not before', () => {
  const unsent = new UnsentBytes({ unsentBytes: 150, unsentBytesPerIdentity: 100 });
  const calls: string[] = [];
  const reader = unsent.of(anyone, () => calls.push('reader'));
  const blocked = unsent.of(anyone, () => calls.push('blocked'));
  const other = unsent.of({ ...anyone, name: 'other' }, () => calls.push('other'));
  reader.set(150);
  expect([blocked.roomBytes, other.roomBytes]).toEqual([0, 0]);
  reader.set(90);
  expect(calls).toEqual([]);
  reader.set(0);
  expect(calls).toEqual(['blocked', 'other']);
  reader.set(50);
  reader.set(0);
  expect(calls).toHaveLength(2);
});
