import type { AwsContext } from '../context.ts';
import { pack, unpack } from '../items/compression.ts';
import type { Known } from '../items/known-tasks.ts';
import { b, type HeadAttributes, isGone, n, ownHead, s, ttlOf } from '../items/rows.ts';
import type { Place } from '../schema/ids.ts';
import { headKey, type Item, resultKey } from '../schema/keys.ts';

/** A larger one would make the head larger than one write unit by itself. */
const inlineMost = 1_024;

/**
 * Where a result goes: into the head, or into an item of its own that is written before the head names it. That item's
 * name is new for each write, so that no result is ever overwritten; one that no head names does no harm.
 */
export async function storeResult(
  context: AwsContext,
  known: Known,
  fencingToken: number,
  result: Uint8Array,
): Promise<HeadAttributes> {
  const packed = pack(result);
  const zstd = packed.zstd ? { rz: n(1) } : {};
  if (packed.bytes.length <= inlineMost) return { rs: b(packed.bytes), ...zstd };
  const nonce = Buffer.from(context.nonces.next().B).toString('base64url');
  const name = `${fencingToken.toString(36)}.${nonce}`;
  await context.calls.put('append', {
    Item: {
      ...resultKey(known.place, name),
      at: n(known.place.mark),
      rs: b(packed.bytes),
      ...zstd,
      x: ttlOf(known.expiresAtMs),
    },
  });
  return { rn: s(name) };
}

function unpacked(item: Item | undefined): Uint8Array | undefined {
  const bytes = item?.rs?.B;
  return bytes === undefined ? undefined : unpack({ bytes, zstd: item?.rz !== undefined });
}

export async function resultOf(context: AwsContext, place: Place): Promise<Uint8Array | undefined> {
  const found = await context.calls.get('read', [headKey(place)], true);
  const head = ownHead(place, found.at(headKey(place)));
  if (head === undefined || isGone(head, context.clock.now())) return undefined;
  const name = head.rn?.S;
  if (name === undefined) return unpacked(head);
  const key = resultKey(place, name);
  return unpacked((await context.calls.get('read', [key], true)).at(key));
}
