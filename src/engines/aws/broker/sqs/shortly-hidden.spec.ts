import { expect, it } from 'vitest';
import { virtualClock } from '../../../../testing/virtual-clock.ts';
import { ShortlyHidden } from './shortly-hidden.ts';

function open() {
  const clock = virtualClock();
  const hidden: (readonly [receipt: string, seconds: number])[] = [];
  const messages = new ShortlyHidden(clock, async (receipt, seconds) => void hidden.push([receipt, seconds]));
  return { clock, hidden, messages };
}

it('messages that are still in use are hidden until 32 s after their receive, 3 s after it', async () => {
  const { clock, hidden, messages } = open();
  messages.add(['a', 'b', 'c']);
  await clock.advance(1_000);
  messages.remove('b');
  await clock.advance(1_999);
  expect(hidden).toEqual([]);
  await clock.advance(1);
  expect(hidden).toEqual([
    ['a', 29],
    ['c', 29],
  ]);
  await clock.advance(60_000);
  expect(hidden).toHaveLength(2);
});

it('no message is hidden after the broker was closed', async () => {
  const { clock, hidden, messages } = open();
  messages.add(['a']);
  messages.close();
  await clock.advance(60_000);
  expect(hidden).toEqual([]);
});
