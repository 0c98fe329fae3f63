import { beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../../ports/broker.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { DeliveryBuffer } from './delivery-buffer.ts';

const delivery = (id: string, receiveCount = 1) =>
  ({ message: { id }, receiptHandle: id, receiveCount }) as Delivery;

let clock: VirtualClock;
let hidden: (readonly [id: string, ms: number])[];
let buffer: DeliveryBuffer;
beforeEach(() => {
  clock = virtualClock();
  hidden = [];
  buffer = new DeliveryBuffer(clock, {
    hide: async ({ message }, ms) => void hidden.push([message.id, ms]),
  });
});

/** Returns after how many seconds a delivery is shown in SQS again. */
async function shownAfterSeconds(): Promise<number> {
  let seconds = 0;
  while (hidden.length === 0 && seconds < 60) {
    await clock.advance(1_000);
    seconds++;
  }
  return seconds;
}

describe('a buffered delivery', () => {
  it('is shown in SQS again after a second', async () => {
    buffer.add(delivery('a', 5), false);
    expect(await shownAfterSeconds()).toBe(1);
    expect(hidden).toEqual([['a', 0]]);
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 4],
    [4, 8],
    [40, 8],
  ])(
    'that is passed over at receive %i, with few others, is shown again after %i s',
    async (receives, seconds) => {
      buffer.add(delivery('a', receives), true);
      expect(await shownAfterSeconds()).toBe(seconds);
    },
  );

  it.each([
    [1, 8],
    [2, 16],
    [3, 24],
    [9, 24],
  ])(
    'that is passed over at receive %i, with a thousand others, is shown again after %i s',
    async (receives, seconds) => {
      for (let i = 0; i < 1_000; i++) buffer.add(delivery(`${i}`, receives), true);
      expect(await shownAfterSeconds()).toBe(seconds);
    },
  );

  it('that was passed over before the others stays hidden as long as they do', async () => {
    buffer.add(delivery('first'), true);
    await clock.advance(500);
    for (let i = 0; i < 1_000; i++) buffer.add(delivery(`${i}`), true);
    await clock.advance(7_500);
    expect(hidden).toEqual([]);
    await clock.advance(20);
    expect(hidden[0]).toEqual(['first', 0]);
  });

  it('is taken once, and hidden for a lease if it was buffered for more than a second', async () => {
    for (const id of ['a', 'b', 'c']) buffer.add(delivery(id, 4), true);
    expect(buffer.take(({ message }) => message.id === 'b')).toHaveLength(1);
    expect(hidden).toEqual([]);
    await clock.advance(3_000);
    expect(buffer.take(({ message }) => message.id !== 'c').map(({ message }) => message.id)).toEqual(['a']);
    expect(hidden).toEqual([['a', 32_000]]);
    await buffer.returnAll();
    expect(hidden.at(-1)).toEqual(['c', 0]);
    await clock.advance(60_000);
    expect(hidden).toHaveLength(2);
  });

  it('counts as waiting until it is passed over, and then stays hidden for longer', async () => {
    const [first, second] = [delivery('a', 4), delivery('b', 4)];
    buffer.add(first, false);
    buffer.add(second, false);
    expect(buffer.waitingCount).toBe(2);
    buffer.passOver(new Set([second]));
    expect(buffer.waitingCount).toBe(1);
    await clock.advance(1_000);
    expect(hidden).toEqual([['a', 0]]);
    await clock.advance(7_000);
    expect(hidden).toEqual([
      ['a', 0],
      ['b', 0],
    ]);
  });
});
