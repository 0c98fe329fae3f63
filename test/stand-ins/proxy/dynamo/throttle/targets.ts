import type { Json } from '../../call.ts';
import type { Copies } from '../lag/copies.ts';
import { type Item, keyText } from '../lag/item.ts';
import type { Schemas } from '../lag/schemas.ts';
import { touchedIndexes } from './index-entries.ts';
import type { CapacityTarget } from './limits.ts';
import type { Names, Touch } from './touches.ts';
import { afterOf } from './update.ts';

/**
 * Returns the table and index partitions whose capacity one item of a request uses. The indexes that a write changes
 * follow from the item before the write.
 */
export function targetsOfTouch(touch: Touch, copies: Copies): readonly CapacityTarget[] {
  const { schema, key } = touch;
  const kind = touch.kind === 'read' ? 'read' : 'write';
  const table: CapacityTarget = {
    table: schema.name,
    index: undefined,
    partitionKey: keyText(key[schema.hash]),
    kind,
  };
  if (touch.kind !== 'write' || !copies.tracking) return [table];
  const before = copies.imageOf(schema, key);
  const indexes = touchedIndexes(schema, before, afterOf(touch, before));
  return [table, ...indexes.map((touched): CapacityTarget => ({ table: schema.name, kind, ...touched }))];
}

/** Returns the value that the key condition of a query compares with this attribute by `=`. */
function equalTo(attribute: string, body: Json): string | undefined {
  const names = (body.ExpressionAttributeNames ?? {}) as Names;
  const values = (body.ExpressionAttributeValues ?? {}) as Item;
  for (const [, name = '', value = ''] of String(body.KeyConditionExpression ?? '').matchAll(
    /([#\w.-]+)\s*=\s*(:\w+)/g,
  )) {
    if ((names[name] ?? name) === attribute) return keyText(values[value]);
  }
  return undefined;
}

/** Returns the partition whose capacity a Query or a Scan uses: one partition of its table or index. */
export async function targetsOfQuery(schemas: Schemas, body: Json): Promise<readonly CapacityTarget[]> {
  const schema = await schemas.of(String(body.TableName));
  if (schema === undefined) return [];
  const index = body.IndexName as string | undefined;
  const hash = index === undefined ? schema.hash : schema.indexes.find(({ name }) => name === index)?.hash;
  const partitionKey = hash === undefined ? undefined : equalTo(hash, body);
  return [{ table: schema.name, index, partitionKey, kind: 'read' }];
}
