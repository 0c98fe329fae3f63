import { type Item, keyText } from '../lag/item.ts';
import type { IndexSchema, TableSchema } from '../lag/schemas.ts';

export interface TouchedIndex {
  readonly index: string;
  readonly partitionKey: string;
}

function entryOf(item: Item | undefined, index: IndexSchema): string | undefined {
  if (item?.[index.hash] === undefined) return undefined;
  if (index.range !== undefined && item[index.range] === undefined) return undefined;
  const names = index.projected === 'all' ? Object.keys(item).sort() : index.projected;
  const keys = index.range === undefined ? [index.hash] : [index.hash, index.range];
  return JSON.stringify([...keys, ...names].map((name) => [name, item[name]]));
}

/** Returns the index partitions to which the change of an item from `before` to `after` writes. */
export function touchedIndexes(
  schema: TableSchema,
  before: Item | undefined,
  after: Item | undefined,
): readonly TouchedIndex[] {
  return schema.indexes.flatMap((index) => {
    const [was, is] = [entryOf(before, index), entryOf(after, index)];
    // The value of an attribute marked `unclear` may have changed, so it counts as a write to the index.
    if (was === is && !is?.includes('"unclear":true')) return [];
    const partitions = new Set<string>();
    if (was !== undefined) partitions.add(keyText(before?.[index.hash]));
    if (is !== undefined) partitions.add(keyText(after?.[index.hash]));
    return [...partitions].map((partitionKey) => ({ index: index.name, partitionKey }));
  });
}
