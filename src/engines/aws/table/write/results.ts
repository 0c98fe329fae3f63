import type { AwsContext } from '../context.ts';
import { pack, unpack } from '../items/compression.ts';
import type { KnownTask } from '../items/known-tasks.ts';
import { b, type HeadAttributes, isExpired, n, ownHead, s, ttlOf } from '../items/rows.ts';
import type { ItemAddress } from '../schema/ids.ts';
import { headKey, type Item, resultKey } from '../schema/keys.ts';

/**
 * Largest result in bytes that is stored in the task's head. A larger result alone would make the head exceed one
 * write unit.
 */
const mostInlineBytes = 1_024;

/**
 * Stores the result of a task: in attributes of the head, or in an item of its own that is written before the head
 * names it. Each write gives the result item a new name, so no result is ever overwritten; a result item that no head
 * names does no harm.
 */
export async function storeResult(
  context: AwsContext,
  known: KnownTask,
  fencingToken: number,
  result: Uint8Array,
): Promise<HeadAttributes> {
  const packed = pack(result);
  const zstd = packed.zstd ? { rz: n(1) } : {};
  if (packed.bytes.length <= mostInlineBytes) return { rs: b(packed.bytes), ...zstd };
  const nonce = Buffer.from(context.nonces.next().B).toString('base64url');
  const name = `${fencingToken.toString(36)}.${nonce}`;
  await context.calls.put('append', {
    Item: {
      ...resultKey(known.address, name),
      at: n(known.address.mark),
      rs: b(packed.bytes),
      ...zstd,
      x: ttlOf(known.expiresAtMs),
    },
  });
  return { rn: s(name) };
}

function resultIn(item: Item | undefined): Uint8Array | undefined {
  const bytes = item?.rs?.B;
  return bytes === undefined ? undefined : unpack({ bytes, zstd: item?.rz !== undefined });
}

export async function resultOf(context: AwsContext, address: ItemAddress): Promise<Uint8Array | undefined> {
  const found = await context.calls.get('read', [headKey(address)], true);
  const head = ownHead(address, found.get(headKey(address)));
  if (head === undefined || isExpired(head, context.clock.now())) return undefined;
  const name = head.rn?.S;
  if (name === undefined) return resultIn(head);
  const key = resultKey(address, name);
  return resultIn((await context.calls.get('read', [key], true)).get(key));
}
