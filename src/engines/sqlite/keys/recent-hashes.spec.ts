import { expect, it } from 'vitest';
import { keyHash } from './key-hash.ts';
import { KeyOrder } from './key-order.ts';
import { bucketCount, RecentHashes } from './recent-hashes.ts';

it('hashes of keys are those that files contain, and depend on the queue', () => {
  expect([keyHash(1, ''), keyHash(1, 'a'), keyHash(2, 'a'), keyHash(1, 'ключ')]).toMatchInlineSnapshot(`
    [
      183149125460279,
      125961940026716,
      171731022380223,
      152562577118386,
    ]
  `);
});

it('hashes of keys are spread over all buckets', () => {
  const hashes = new RecentHashes();
  for (let i = 0; i < bucketCount * 16; i++) hashes.add(keyHash(1, `order-${i}`), i);
  const lengths: number[] = [];
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    lengths.push(0);
    hashes.visit(bucket, 1, () => lengths.push((lengths.pop() ?? 0) + 1));
  }
  expect(Math.max(...lengths)).toBeLessThan(64);
});

it('recent hashes are found until they are removed, alone or with their bucket', () => {
  const hashes = new RecentHashes();
  const all = Array.from({ length: 1_000 }, (_, i) => keyHash(1, String(i)));
  for (const [seq, hash] of all.entries()) hashes.add(hash, seq);
  expect(all.map((hash) => hashes.find(hash))).toEqual(all.map((_, seq) => seq));
  expect(hashes.remove(all[3] ?? 0, 4)).toBe(false);
  expect(hashes.remove(all[3] ?? 0, 3)).toBe(true);
  expect(hashes.find(all[3] ?? 0)).toBeUndefined();
  const visited: number[] = [];
  const end = hashes.visit(0, 100, (hash) => visited.push(hash));
  expect(visited.length).toBeGreaterThanOrEqual(100);
  hashes.removeBuckets(0, end);
  expect(hashes.size).toBe(999 - visited.length);
  expect(visited.map((hash) => hashes.find(hash))).toEqual(visited.map(() => undefined));
});

it('a bucket of recent hashes has no room for more than 256', () => {
  const hashes = new RecentHashes();
  for (let hash = 0; hash < 256; hash++) {
    expect(hashes.hasRoom(hash)).toBe(true);
    hashes.add(hash, hash);
  }
  expect(hashes.hasRoom(256)).toBe(false);
  expect(hashes.hasRoom(2 ** 47)).toBe(true);
});

it('keys ascend if they are greater than all but the last thousand of their queue', () => {
  const order = new KeyOrder();
  const ascends = (key: number, queue = 1) => order.isAscending(queue, String(key).padStart(9, '0'));
  for (let key = 10_000; key < 13_000; key++) expect(ascends(key)).toBe(true);
  expect(ascends(12_990)).toBe(true);
  expect(ascends(9_000)).toBe(false);
  expect(ascends(9_000, 2)).toBe(true);
});
