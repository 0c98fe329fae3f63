import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { callPlaces } from '../load/call-window.ts';
import { shardOf } from './schema/ids.ts';
import { slotOfPartition } from './schema/keys.ts';

interface Write {
  readonly Item?: Record<string, AttributeValue>;
  readonly Key?: Record<string, AttributeValue>;
}

type TransactItem = Partial<Record<'Put' | 'Update' | 'Delete' | 'ConditionCheck', Write>>;

/**
 * Returns the shard of the list index to which a request writes, counted as of a table with the fewest shards, so that shards
 * that were added later count with one of these. Returns undefined if it reads, or writes to several shards or to none.
 */
export function placeOfWrite(input: unknown): number | undefined {
  const { TransactItems, ...write } = (input ?? {}) as Write & {
    readonly TransactItems?: readonly TransactItem[];
  };
  if (TransactItems === undefined) return placeOf(write);
  const places = new Set(TransactItems.flatMap((item) => Object.values(item).map(placeOf)));
  // Beside the items of tasks a transaction has those of a lane or a queue, which are in no shard.
  places.delete(undefined);
  const [first] = places;
  return places.size === 1 ? first : undefined;
}

function placeOf(write: Write | undefined): number | undefined {
  const slot = slotOfPartition((write?.Item ?? write?.Key)?.pk?.S ?? '');
  return slot === undefined ? undefined : shardOf(slot, callPlaces);
}
