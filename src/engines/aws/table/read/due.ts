import type { DueEntry, DuePage } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { isExpired, n, numberOf, s } from '../items/rows.ts';
import { addressOf } from '../schema/ids.ts';
import {
  duePartition,
  dueSortOf,
  headKey,
  type Item,
  idFromPartition,
  keyNames,
  readDueSort,
} from '../schema/keys.ts';
import { ExpiredHeadCleaner } from './due-expired.ts';

const [partition, sort] = keyNames.due;
/**
 * Maximum number of pages of the due index read in one call. The caller continues after the last page, even if every
 * entry read had expired.
 */
const mostPages = 10;

function dueEntryOf(item: Item): DueEntry {
  return {
    id: idFromPartition(item.pk?.S ?? '', numberOf(item.at) ?? 0),
    ...readDueSort(item[sort]?.N ?? ''),
  };
}

/**
 * Builds the key after which a query of the due index continues. DynamoDB accepts any well-formed key, even if its
 * item no longer exists.
 */
function startAfter(shard: number, entry: DueEntry): Item | undefined {
  const address = addressOf(entry.id);
  return (
    address && { ...headKey(address), [partition]: s(duePartition(shard)), [sort]: { N: dueSortOf(entry) } }
  );
}

/**
 * Returns the due entries of one shard, oldest first. The due index lags behind the table, so a caller must read a
 * task before it acts on the due entry. Entries of expired tasks that TTL has not deleted yet are left out, and the
 * heads of these tasks are deleted.
 */
export async function dueOf(
  context: AwsContext,
  shard: number,
  nowMs: number,
  limit: number,
  after?: DueEntry,
): Promise<DuePage> {
  const entries: DueEntry[] = [];
  // DynamoDB refuses a start key that lies outside the range of the query.
  if (after !== undefined && after.dueAtMs > nowMs) return { entries, next: undefined };
  const expired = new ExpiredHeadCleaner(context);
  const goneMs = context.clock.now();
  let next = after;
  for (let pages = 0; pages < mostPages && entries.length < limit; pages++) {
    const page = await context.calls.query('due', {
      IndexName: 'due',
      KeyConditionExpression: `${partition} = :shard AND ${sort} < :end`,
      ExpressionAttributeValues: { ':shard': s(duePartition(shard)), ':end': n(nowMs + 1) },
      Limit: limit - entries.length,
      ExclusiveStartKey: next && startAfter(shard, next),
    });
    const gone = page.items.filter((item) => isExpired(item, goneMs));
    await expired.free(gone);
    for (const item of page.items) if (!isExpired(item, goneMs)) entries.push(dueEntryOf(item));
    const last = page.items.at(-1);
    if (page.next === undefined || last === undefined) return { entries, next: undefined };
    next = dueEntryOf(last);
  }
  return { entries, next };
}
