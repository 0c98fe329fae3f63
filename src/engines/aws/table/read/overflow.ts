import type { AwsContext } from '../context.ts';
import type { Known } from '../items/known-tasks.ts';
import { bytesOfEvents, n, numberOf, ownHead, storedEvents, ttlOf } from '../items/rows.ts';
import type { Place } from '../schema/ids.ts';
import { headKey, type Item, overflowKey, overflowRange } from '../schema/keys.ts';

/** A head stays within one write unit (1 KB) while its tip is no larger than this. */
const tipMost = 700;
/** The newest events stay, so that a repeat of the last settlement is still told from the tip. */
const keptMost = 300;

export function overflows(known: Known, newBytes: number): boolean {
  return known.tipBytes > 0 && known.tipBytes + newBytes > tipMost;
}

/** How many of the newest stay: at least one. */
function keptCount(stored: readonly Uint8Array[]): number {
  let bytes = 0;
  for (let kept = 0; kept < stored.length; kept++) {
    bytes += bytesOfEvents(stored.slice(stored.length - kept - 1, stored.length - kept));
    if (kept > 0 && bytes > keptMost) return kept;
  }
  return stored.length;
}

/**
 * Copies the older events of a full tip to an item of their own, before the transition that drops them. Its key names
 * which ones: whoever copies the same ones writes the same bytes, and a copy that no transition followed says nothing
 * that the tip does not say too. Answers what stays; undefined: the head moved on meanwhile.
 */
export async function moveOut(context: AwsContext, known: Known): Promise<Uint8Array[] | undefined> {
  const { place, version } = known;
  const found = await context.calls.get('append', [headKey(place)], true);
  const head = ownHead(place, found.at(headKey(place)));
  const stored = storedEvents(head);
  if (numberOf(head?.v) !== version) return undefined;
  const kept = keptCount(stored);
  const moved = stored.slice(0, stored.length - kept);
  if (moved.length === 0) return stored;
  const first = version - stored.length + 1;
  await context.calls.put('append', {
    Item: {
      ...overflowKey(place, first, first + moved.length - 1),
      at: n(place.mark),
      f: n(first),
      ev: { L: moved.map((bytes) => ({ B: bytes })) },
      x: ttlOf(known.expiresAtMs),
    },
    // Of an older acceptance at most: this one's is the same to the byte.
    ConditionExpression: 'attribute_not_exists(pk) OR #at < :at',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':at': n(place.mark) },
  });
  return stored.slice(moved.length);
}

/** A stored event and its number. */
export type Numbered = readonly [number: number, stored: Uint8Array];

/** Events that were moved out; one that was copied more than once as often. Those of the tip may be among them. */
export async function movedOut(context: AwsContext, place: Place): Promise<readonly Numbered[]> {
  const { pk, prefix } = overflowRange(place);
  const events: Numbered[] = [];
  let from: Item | undefined;
  do {
    const page = await context.calls.query('read', {
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: pk }, ':prefix': { S: prefix } },
      ConsistentRead: true,
      ExclusiveStartKey: from,
    });
    for (const item of page.items) {
      if (numberOf(item.at) !== place.mark) continue;
      const first = numberOf(item.f) ?? 0;
      for (const [i, event] of storedEvents(item).entries()) events.push([first + i, event]);
    }
    from = page.next;
  } while (from !== undefined);
  return events;
}
