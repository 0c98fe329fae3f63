import { expect, test } from 'vitest';
import { shardOf } from '../table/schema/ids.ts';
import { anchorKey, headKey, listPartition, pointerKey } from '../table/schema/keys.ts';
import { placeOfWrite } from './place-of-write.ts';

const slots = ['AAAAAAAAAAAAAAAAAAAAAA', 'AAABAAAAAAAAAAAAAAAAAA', 'zAAczzzzzzzzzzzzzzzzzz'];

test('the writes of a task go to the place of its shard', () => {
  for (const slot of slots) {
    const place = shardOf(slot, 4);
    expect(placeOfWrite({ TableName: 't', Item: { ...anchorKey(slot), lp: { S: 'q' } } })).toBe(place);
    expect(placeOfWrite({ Key: headKey({ slot, mark: 5, anchor: false }) })).toBe(place);
  }
});

test('the shards of a table with eight of them make up four places', () => {
  for (const slot of slots) expect(placeOfWrite({ Item: anchorKey(slot) })).toBe(shardOf(slot, 8) % 4);
});

test('reads, and writes of what is no task, go to no place alone', () => {
  for (const input of [
    {
      KeyConditionExpression: 'lp = :p',
      ExpressionAttributeValues: { ':p': { S: listPartition({ tenant: 't', queue: 'q' }, 1) } },
    },
    { RequestItems: {} },
    { Key: pointerKey({ tenant: 't', queue: 'q', orderingKey: 'k' }, 1) },
    {},
  ])
    expect(placeOfWrite(input)).toBeUndefined();
});
