import type { AwsContext } from '../context.ts';
import type { KnownTask } from '../items/known-tasks.ts';
import { bytesOfEvents, n, numberOf, ownHead, storedEvents, ttlOf } from '../items/rows.ts';
import type { ItemAddress } from '../schema/ids.ts';
import { headKey, type Item, overflowKey, overflowRange } from '../schema/keys.ts';

/**
 * Largest size in bytes of the tip, the list of events in a task's head. With a tip of this size the head still fits
 * in one write unit (1 KB).
 */
const mostTipBytes = 700;
/**
 * Maximum size in bytes of the newest events that stay in a task's head when older events are moved out, so that a
 * repeat of the last settlement is still recognised from the head.
 */
const mostKeptBytes = 300;

export function tipOverflows(known: KnownTask, newBytes: number): boolean {
  return known.tipBytes > 0 && known.tipBytes + newBytes > mostTipBytes;
}

/** Returns how many of a task's newest events stay in its head when older events are moved out: at least one. */
function keptCount(stored: readonly Uint8Array[]): number {
  let bytes = 0;
  for (let kept = 0; kept < stored.length; kept++) {
    bytes += bytesOfEvents(stored.slice(stored.length - kept - 1, stored.length - kept));
    if (kept > 0 && bytes > mostKeptBytes) return kept;
  }
  return stored.length;
}

/**
 * Copies the older events of a full tip (the list of events in a task's head) to an item of their own, before the
 * transition that drops these events from the tip. The item's key contains the event numbers, so two processes that
 * copy the same events write the same bytes. Without the transition, the copy only repeats events of the tip. Returns
 * the events that stay in the tip, or undefined if the head has changed meanwhile.
 */
export async function moveOutOldEvents(
  context: AwsContext,
  known: KnownTask,
): Promise<Uint8Array[] | undefined> {
  const { address, version } = known;
  const found = await context.calls.get('append', [headKey(address)], true);
  const head = ownHead(address, found.get(headKey(address)));
  const stored = storedEvents(head);
  if (numberOf(head?.v) !== version) return undefined;
  const kept = keptCount(stored);
  const moved = stored.slice(0, stored.length - kept);
  if (moved.length === 0) return stored;
  const first = version - stored.length + 1;
  await context.calls.put('append', {
    Item: {
      ...overflowKey(address, first, first + moved.length - 1),
      at: n(address.mark),
      f: n(first),
      ev: { L: moved.map((bytes) => ({ B: bytes })) },
      x: ttlOf(known.expiresAtMs),
    },
    // This write replaces only an item of an older task of the same key: an item of this task already has the same
    // bytes.
    ConditionExpression: 'attribute_not_exists(pk) OR #at < :at',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':at': n(address.mark) },
  });
  return stored.slice(moved.length);
}

/** The number of a task's event, and the event as stored bytes. */
export type NumberedEvent = readonly [number: number, stored: Uint8Array];

/**
 * Reads the events of a task that were moved out of its head. An event that was copied twice appears twice, and some
 * of the events may still be in the head.
 */
export async function readMovedOutEvents(
  context: AwsContext,
  address: ItemAddress,
): Promise<readonly NumberedEvent[]> {
  const { pk, prefix } = overflowRange(address);
  const events: NumberedEvent[] = [];
  let from: Item | undefined;
  do {
    const page = await context.calls.query('read', {
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: pk }, ':prefix': { S: prefix } },
      ConsistentRead: true,
      ExclusiveStartKey: from,
    });
    for (const item of page.items) {
      if (numberOf(item.at) !== address.mark) continue;
      const first = numberOf(item.f) ?? 0;
      for (const [i, event] of storedEvents(item).entries()) events.push([first + i, event]);
    }
    from = page.next;
  } while (from !== undefined);
  return events;
}
