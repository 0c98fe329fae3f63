import type { DueEntry } from '../../ports/task-store.ts';
import type { AwsContext } from './context.ts';
import { duePartition, type Item, idFromPartition, keyNames } from './keys.ts';
import { isGone, n, numberOf, s } from './rows.ts';

const [partition, sort] = keyNames.due;
/** Beyond so many pages of what has expired and was not deleted yet, the next call goes on. */
const mostPages = 10;

/** What has come due in one shard, oldest first. The index lags; whoever acts on an entry reads the task first. */
export async function dueOf(
  context: AwsContext,
  shard: number,
  nowMs: number,
  limit: number,
): Promise<DueEntry[]> {
  const entries: DueEntry[] = [];
  const goneMs = context.clock.now();
  let from: Item | undefined;
  for (let pages = 0; pages < mostPages; pages++) {
    const page = await context.calls.query('due', {
      IndexName: 'due',
      KeyConditionExpression: `${partition} = :shard AND ${sort} <= :now`,
      ExpressionAttributeValues: { ':shard': s(duePartition(shard)), ':now': n(nowMs) },
      Limit: limit - entries.length,
      ExclusiveStartKey: from,
    });
    for (const item of page.items) {
      if (isGone(item, goneMs)) continue;
      const id = idFromPartition(item.pk?.S ?? '', numberOf(item.at) ?? 0);
      entries.push({ id, dueAtMs: numberOf(item[sort]) ?? 0 });
    }
    from = page.next;
    if (from === undefined || entries.length >= limit) break;
  }
  return entries;
}
