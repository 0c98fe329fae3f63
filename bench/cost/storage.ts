/** Measures the billed storage of a task that has ended: its items and index entries. */
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { noOptions } from '../../src/core/codec/options.ts';
import { expiry, resolveOptions } from '../../src/core/submission/submission.ts';
import { itemBytes } from '../../src/engines/aws/table/meter.ts';
import { tableDefinition } from '../../src/engines/aws/table/schema/definition.ts';
import type { Item } from '../../src/engines/aws/table/schema/keys.ts';
import { clientOf } from '../../test/stand-ins/dynoxide.ts';
import { onFreshSite } from './lives.ts';
import { itemOf, type PayloadOf } from './payloads.ts';
import { daysAMonth, gb, itemOverheadBytes, prices } from './prices.ts';
import { submitAll, work } from './work.ts';

const dayMs = 86_400_000;

/** The storage of one task. */
export interface StorageCost {
  /** The billed bytes of all items and index entries. */
  readonly bytesPerTask: number;
  /** The bytes of the submission item, without AWS's overhead and index entries. */
  readonly submissionBytes: number;
  /** The bytes of the head item, without AWS's overhead and index entries. */
  readonly headBytes: number;
  /** The time from the acceptance of the task to its expiry, in days. */
  readonly days: number;
  readonly usdPerTask: number;
}

function indexBytes(item: Item): number {
  let bytes = 0;
  for (const { partition, sort, projected } of tableDefinition.indexes) {
    if (item[partition] === undefined) continue;
    const names = new Set<string>(['pk', 'sk', partition, sort, ...projected]);
    const entry = Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));
    bytes += itemBytes(entry) + itemOverheadBytes;
  }
  return bytes;
}

/** Reads the whole table with a Scan. Only this benchmark does that; the engine never scans its table. */
async function scanTable(endpoint: string, table: string): Promise<Item[]> {
  const client = new DynamoDBClient(clientOf(endpoint));
  const items: Item[] = [];
  let from: Item | undefined;
  do {
    const page = await client.send(new ScanCommand({ TableName: table, ExclusiveStartKey: from }));
    items.push(...(page.Items ?? []));
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  client.destroy();
  return items;
}

/**
 * Returns the storage of a task from acceptance to expiry, with the default options. It does not include the delay of
 * up to a few days with which DynamoDB deletes expired items.
 */
export function storageCost(payload: PayloadOf, count: number): Promise<StorageCost> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, payload(i)));
    await submitAll(api, queue, items, 'full');
    await work(worker, queue, count, 'full');
    const all = await scanTable(site.endpoint, site.table);
    const tasks = all.filter((item) => item.pk?.S?.startsWith('T#'));
    const bytes = tasks.reduce(
      (sum, item) => sum + itemBytes(item) + itemOverheadBytes + indexBytes(item),
      0,
    );
    const bytesOf = (sort: string): number => {
      const some = tasks.filter(({ sk }) => sk?.S === sort);
      return some.reduce((sum, item) => sum + itemBytes(item), 0) / some.length;
    };
    const bytesPerTask = bytes / count;
    const days = expiry(resolveOptions(noOptions, 0), 0) / dayMs;
    const usdPerTask = (bytesPerTask / gb) * prices.storedGbMonth * (days / daysAMonth);
    return { bytesPerTask, submissionBytes: bytesOf('S'), headBytes: bytesOf('H'), days, usdPerTask };
  });
}
