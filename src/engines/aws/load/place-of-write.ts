import { shardOf } from '../table/schema/ids.ts';
import { slotOfPartition } from '../table/schema/keys.ts';
import { callPlaces } from './call-window.ts';

/** The parts of the inputs of PutItem, UpdateItem and DeleteItem that name the item. */
interface SingleWrite {
  readonly Item?: { readonly pk?: { readonly S?: string } };
  readonly Key?: { readonly pk?: { readonly S?: string } };
}

/**
 * Returns the place (0 to 3) to which a call writes: the shard of the list index that has the task, where a table with more than four
 * shards counts several of them as one place. Undefined if the call writes no item of a task, or reads.
 */
export function placeOfWrite(input: unknown): number | undefined {
  const { Item, Key } = input as SingleWrite;
  const pk = (Item ?? Key)?.pk?.S;
  const slot = pk === undefined ? undefined : slotOfPartition(pk);
  return slot === undefined ? undefined : shardOf(slot, callPlaces);
}
