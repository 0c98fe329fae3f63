import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { addressOf, idOf, slotOf } from './ids.ts';

function scopeOf(key: string) {
  return { tenant: 'acme', queue: 'mail', key };
}

/** Returns the first character of the hash of an idempotency key, before `slotOf` replaces a hyphen at the start. */
function firstOfHash(key: string): string {
  return createHash('sha256').update(`4:acme4:mail${key.length}:${key}`).digest('base64url')[0] ?? '';
}

test('a task id never begins with a hyphen, which a command would take for an option', () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => `key-${i}`).filter((key) => firstOfHash(key) === '-');
  expect(keys.length).toBeGreaterThan(5);
  for (const key of keys) {
    const address = { slot: slotOf(scopeOf(key)), mark: 1_795_000_000_000, anchor: true };
    expect(idOf(address)).toMatch(/^[A-Za-z0-9_]/);
    expect(addressOf(idOf(address))).toEqual(address);
  }
});
