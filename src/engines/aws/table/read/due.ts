import type { DueEntry, DuePage } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { isGone, n, numberOf, s } from '../items/rows.ts';
import { placeOf } from '../schema/ids.ts';
import { duePartition, headKey, type Item, idFromPartition, keyNames } from '../schema/keys.ts';
import { Expired } from './due-expired.ts';

const [partition, sort] = keyNames.due;
/** Beyond so many pages the caller goes on, however much of it had expired. */
const mostPages = 10;

function entryOf(item: Item): DueEntry {
  return {
    id: idFromPartition(item.pk?.S ?? '', numberOf(item.at) ?? 0),
    dueAtMs: numberOf(item[sort]) ?? 0,
  };
}

/** The index takes any key of its form for a place, whether its item is still there or not. */
function startAfter(shard: number, { id, dueAtMs }: DueEntry): Item | undefined {
  const place = placeOf(id);
  return place && { ...headKey(place), [partition]: s(duePartition(shard)), [sort]: n(dueAtMs) };
}

/**
 * What has come due in one shard, oldest first. The index lags; whoever acts on an entry reads the task first. What has
 * expired and TTL has not deleted yet is left out, and deleted here.
 */
export async function dueOf(
  context: AwsContext,
  shard: number,
  nowMs: number,
  limit: number,
  after?: DueEntry,
): Promise<DuePage> {
  const entries: DueEntry[] = [];
  // A place beyond the range of the query would be refused.
  if (after !== undefined && after.dueAtMs > nowMs) return { entries, next: undefined };
  const expired = new Expired(context);
  const goneMs = context.clock.now();
  let next = after;
  for (let pages = 0; pages < mostPages && entries.length < limit; pages++) {
    const page = await context.calls.query('due', {
      IndexName: 'due',
      KeyConditionExpression: `${partition} = :shard AND ${sort} <= :now`,
      ExpressionAttributeValues: { ':shard': s(duePartition(shard)), ':now': n(nowMs) },
      Limit: limit - entries.length,
      ExclusiveStartKey: next && startAfter(shard, next),
    });
    const gone = page.items.filter((item) => isGone(item, goneMs));
    await expired.free(gone);
    for (const item of page.items) if (!isGone(item, goneMs)) entries.push(entryOf(item));
    const last = page.items.at(-1);
    if (page.next === undefined || last === undefined) return { entries, next: undefined };
    next = entryOf(last);
  }
  return { entries, next };
}
