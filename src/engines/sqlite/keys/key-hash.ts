/**
 * Returns a hash of 48 bits of an idempotency key and the number of its queue. Files contain these hashes: the function
 * must not change. It need not resist forged keys, because a key whose hash is taken is stored in the index instead.
 */
export function keyHash(queue: number, key: string): number {
  let low = Math.imul(queue, 0x9e3779b1) ^ 0x5bd1e995;
  let high = Math.imul(queue, 0x85ebca6b) ^ 0x27d4eb2f;
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return (high >>> 16) * 2 ** 32 + (low >>> 0);
}
