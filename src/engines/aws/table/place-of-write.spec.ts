import { expect, test } from 'vitest';
import { placeOfWrite } from './place-of-write.ts';

const task = (slot: string) => ({ pk: { S: `T#${slot}` }, sk: { S: 'H' } });
const lane = { pk: { S: 'L#default#q#a' }, sk: { S: 'P' } };

test('a write of a task goes to the shard of its slot, by Item and by Key alike', () => {
  const shards = ['AAAA', 'AAAB', 'AAAC', 'AAAD'].map((slot) => placeOfWrite({ Item: task(slot) }));
  expect(shards).toEqual([0, 1, 2, 3]);
  expect(placeOfWrite({ Key: task('AAAC~k3') })).toBe(2);
});

test('a transaction goes to the shard of its tasks, if it is one', () => {
  const put = (slot: string) => ({ Put: { Item: task(slot) } });
  expect(placeOfWrite({ TransactItems: [put('AAAB'), { Put: undefined, Update: { Key: lane } }] })).toBe(1);
  expect(placeOfWrite({ TransactItems: [put('AAAB'), put('AAAC')] })).toBeUndefined();
});

test('a read, and a write of something else than a task, go to no shard alone', () => {
  for (const input of [
    { Key: lane },
    { TransactItems: [{ Update: { Key: lane } }] },
    { RequestItems: {} },
    undefined,
  ])
    expect(placeOfWrite(input)).toBeUndefined();
});
