/** What the items and index entries of a done task take up, as AWS bills them. */
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { noOptions } from '../../src/core/codec/options.ts';
import { expiry, resolveOptions } from '../../src/core/submission/submission.ts';
import { itemBytes } from '../../src/engines/aws/table/meter.ts';
import { tableDefinition } from '../../src/engines/aws/table/schema/definition.ts';
import type { Item } from '../../src/engines/aws/table/schema/keys.ts';
import { clientOf } from '../../test/stand-ins/dynoxide.ts';
import { onStage } from './lives.ts';
import { itemOf, type PayloadOf } from './payloads.ts';
import { daysAMonth, gb, itemOverheadBytes, prices } from './prices.ts';
import { submitAll, work } from './work.ts';

const dayMs = 86_400_000;

export interface Stored {
  readonly bytesPerTask: number;
  /** Of them the items' own, without what AWS adds and without indexes. */
  readonly submissionBytes: number;
  readonly headBytes: number;
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

/** Only this reads a table from end to end; the engine has no such call. */
async function everything(endpoint: string, table: string): Promise<Item[]> {
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

/** From acceptance to expiry with the default options; TTL's own delay of up to a few days is not in it. */
export function stored(payload: PayloadOf, count: number): Promise<Stored> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, payload(i)));
    await submitAll(api, queue, items, 'full');
    await work(worker, queue, count, 'full');
    const all = await everything(site.endpoint, site.table);
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
