import { describe, expect, it } from 'vitest';
import type { Faults } from '../engines/memory/index.ts';
import type { DispatchMessage, Want } from '../ports/broker.ts';
import { externalMemory } from './external-broker.ts';
import { virtualClock } from './virtual-clock.ts';

const queue = { tenant: 'acme', queue: 'mail' };
const minuteMs = 60_000;
const want: Want = {
  types: [],
  room: () => ({ tasks: 100, bytes: 1_000 }),
  waitMs: 0,
  signal: new AbortController().signal,
};

function messageOf(id: string, version = 1, reason: DispatchMessage['reason'] = 'submit'): DispatchMessage {
  return { id, queue, priority: 'normal', type: 'send', typeVersion: 1, version, reason };
}

function given(faults?: Faults) {
  const clock = virtualClock();
  const { broker, hasMessage } = externalMemory({ clock, faults });
  const receive = () => broker.receive([queue], want);
  const receiveIds = async () => (await receive()).map((delivery) => delivery.message.id);
  return { clock, broker, receive, receiveIds, hasMessage };
}

describe('bells apart from the store', () => {
  it('swallow the repeat of a ring for five minutes, though its bell was silenced', async () => {
    const { clock, broker, receive, receiveIds } = given();
    await broker.send([messageOf('a')]);
    const [delivery] = await receive();
    await broker.delete([delivery?.receiptHandle ?? '']);
    await clock.advance(5 * minuteMs - 1);
    await broker.send([messageOf('a')]);
    expect(await receiveIds()).toEqual([]);
    await clock.advance(1);
    await broker.send([messageOf('a')]);
    expect(await receiveIds()).toEqual(['a']);
  });

  it('are known of by who asks the engine itself, hidden or not, until they are silenced', async () => {
    const { broker, receive, hasMessage } = given();
    expect(hasMessage('a')).toBe(false);
    await broker.send([messageOf('a'), messageOf('a', 2)]);
    const [one, other] = await receive();
    expect(hasMessage('a')).toBe(true);
    await broker.delete([one?.receiptHandle ?? '']);
    expect(hasMessage('a')).toBe(true);
    await broker.delete([other?.receiptHandle ?? '']);
    expect(hasMessage('a')).toBe(false);
  });

  it('do not swallow a ring of another version or for another reason', async () => {
    const { broker, receiveIds } = given();
    await broker.send([messageOf('a'), messageOf('a', 2), messageOf('a', 1, 'due'), messageOf('a')]);
    expect(await receiveIds()).toEqual(['a', 'a', 'a']);
  });

  it('swallow a ring anew only within fifteen seconds', async () => {
    const { clock, broker, receiveIds } = given();
    await broker.send([messageOf('a', 1, 'again'), messageOf('a', 1, 'again')]);
    await clock.advance(15_000);
    await broker.send([messageOf('a', 1, 'again')]);
    expect(await receiveIds()).toEqual(['a', 'a']);
  });

  it('give no bell of a task while another of it is held', async () => {
    const { broker, receive, receiveIds } = given();
    await broker.send([messageOf('a')]);
    const [held] = await receive();
    await broker.send([messageOf('a', 2), messageOf('b')]);
    expect(await receiveIds()).toEqual(['b']);
    await broker.delete([held?.receiptHandle ?? '']);
    expect(await receiveIds()).toEqual(['a']);
  });

  it('give at most ten at once', async () => {
    const { broker, receive } = given();
    await broker.send(Array.from({ length: 12 }, (_, i) => messageOf(`t${i}`)));
    expect(await receive()).toHaveLength(10);
    expect(await receive()).toHaveLength(2);
  });

  it('are gone after fourteen days', async () => {
    const { clock, broker, receiveIds } = given();
    await broker.send([messageOf('a')]);
    await clock.advance(14 * 24 * 60 * minuteMs);
    expect(await receiveIds()).toEqual([]);
  });

  it('cannot be hidden for more than twelve hours after their receipt', async () => {
    const { clock, broker, receive, receiveIds } = given();
    await broker.send([messageOf('a')]);
    const [delivery] = await receive();
    await broker.changeVisibility([{ receiptHandle: delivery?.receiptHandle ?? '', ms: 11 * 60 * minuteMs }]);
    await clock.advance(10 * 60 * minuteMs);
    await broker.changeVisibility([{ receiptHandle: delivery?.receiptHandle ?? '', ms: 11 * 60 * minuteMs }]);
    await clock.advance(2 * 60 * minuteMs - 1);
    expect(await receiveIds()).toEqual([]);
    await clock.advance(1);
    expect(await receiveIds()).toEqual(['a']);
  });
});

describe('faults of the broker', () => {
  it('lose, double, delay or refuse a ring', async () => {
    const fates: Record<string, 'lost' | 'doubled' | 'failed' | 'sent'> = {
      lost: 'lost',
      doubled: 'doubled',
      failed: 'failed',
    };
    const { clock, broker, receiveIds } = given({
      send: ({ id }) => fates[id] ?? 'sent',
      deliveryDelayMs: ({ id }) => (id === 'late' ? 4_000 : 0),
    });
    const sent = await broker.send(['lost', 'doubled', 'failed', 'late'].map((id) => messageOf(id)));
    expect(sent.map((one) => (one === true ? true : one.code))).toEqual([true, true, 'UNAVAILABLE', true]);
    expect(await receiveIds()).toEqual(['doubled', 'doubled']);
    await clock.advance(4_000);
    expect(await receiveIds()).toEqual(['late']);
  });

  it('make a handle stale early, or count though it is stale', async () => {
    let verdict: boolean | undefined = false;
    const { clock, broker, receive, receiveIds } = given({ handle: (current) => verdict ?? current });
    await broker.send([messageOf('a')]);
    const [first] = await receive();
    const receiptHandle = first?.receiptHandle ?? '';
    expect(await broker.delete([receiptHandle])).toEqual([false]);
    await clock.advance(32_000);
    expect(await receiveIds()).toEqual(['a']);
    verdict = true;
    expect(await broker.delete([receiptHandle])).toEqual([true]);
    await clock.advance(32_000);
    expect(await receiveIds()).toEqual([]);
  });
});
