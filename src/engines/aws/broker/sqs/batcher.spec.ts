import { expect, test } from 'vitest';
import { virtualClock } from '../../../../testing/virtual-clock.ts';
import { SqsBatcher } from './batcher.ts';

const clock = virtualClock();

function recording(): { readonly sent: string[][]; readonly batcher: SqsBatcher<string, string> } {
  const sent: string[][] = [];
  const batcher = new SqsBatcher<string, string>(
    clock,
    async (batch) => {
      sent.push([...batch]);
      if (batch.includes('bad')) throw new Error('refused');
      return batch.map((item) => item.toUpperCase());
    },
    (item) => item.length,
  );
  return { sent, batcher };
}

test('a batcher sends the items of one turn of the event loop in calls of ten, and each item gets its own result', async () => {
  const { sent, batcher } = recording();
  const items = Array.from({ length: 23 }, (_, i) => `item${i}`);
  const answers = await Promise.all(items.map((item) => batcher.add(item)));
  expect(answers).toEqual(items.map((item) => item.toUpperCase()));
  expect(sent.map((batch) => batch.length)).toEqual([10, 10, 3]);
});

test('a batcher sends a single item without a delay', async () => {
  const { sent, batcher } = recording();
  const before = clock.now();
  await batcher.add('a');
  await batcher.add('b');
  expect(sent).toEqual([['a'], ['b']]);
  expect(clock.now()).toBe(before);
});

test('no batch call to SQS is larger than 256 KB, unless a single item is larger', async () => {
  const { sent, batcher } = recording();
  const sizes = [100_000, 100_000, 62_144, 1, 300_000, 1];
  await Promise.all(sizes.map((size) => batcher.add('x'.repeat(size))));
  expect(sent.map((batch) => batch.map((item) => item.length))).toEqual([
    [100_000, 100_000, 62_144],
    [1],
    [300_000],
    [1],
  ]);
});

test('a failed batch call to SQS rejects only the items of that call', async () => {
  const { batcher } = recording();
  const items = [...Array.from({ length: 10 }, (_, i) => `item${i}`), 'bad', 'other'];
  const answers = await Promise.allSettled(items.map((item) => batcher.add(item)));
  const failed = answers.map((answer, i) => (answer.status === 'rejected' ? items[i] : '')).filter(Boolean);
  expect(failed).toEqual(['bad', 'other']);
});

test('a batcher that waits sends ten items at once, and fewer after its wait', async () => {
  const sent: number[] = [];
  const send = async (batch: readonly number[]): Promise<readonly number[]> => {
    sent.push(batch.length);
    return batch;
  };
  const batcher = new SqsBatcher<number, number>(clock, send, () => 0, 100);
  const answers = Array.from({ length: 12 }, (_, i) => batcher.add(i));
  await clock.advance(99);
  expect(sent).toEqual([10]);
  await clock.advance(1);
  expect(sent).toEqual([10, 2]);
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 12 }, (_, i) => i));
});
