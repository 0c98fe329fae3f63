import { describe, expect, it } from 'vitest';
import type { Faults } from '../engines/memory/index.ts';
import type { DispatchMessage, ReceiveRequest } from '../ports/broker.ts';
import { externalMemory } from './external-broker.ts';
import { virtualClock } from './virtual-clock.ts';

const queue = { tenant: 'acme', queue: 'mail' };
const minuteMs = 60_000;
const request: ReceiveRequest = {
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
  const receive = () => broker.receive([queue], request);
  const receiveIds = async () => (await receive()).map((delivery) => delivery.message.id);
  return { clock, broker, receive, receiveIds, hasMessage };
}

describe('the simulated external broker', () => {
  it('drops a repeated dispatch message for five minutes, even after the first one was deleted', async () => {
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

  it('reports that it has a message of a task, hidden or visible, until all messages of the task are deleted', async () => {
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

  it('does not drop a second message of a task if its version or reason differs from that of the first', async () => {
    const { broker, receiveIds } = given();
    await broker.send([messageOf('a'), messageOf('a', 2), messageOf('a', 1, 'due'), messageOf('a')]);
    expect(await receiveIds()).toEqual(['a', 'a', 'a']);
  });

  it('drops a repeated message with the reason `again` only within fifteen seconds', async () => {
    const { clock, broker, receiveIds } = given();
    await broker.send([messageOf('a', 1, 'again'), messageOf('a', 1, 'again')]);
    await clock.advance(15_000);
    await broker.send([messageOf('a', 1, 'again')]);
    expect(await receiveIds()).toEqual(['a', 'a']);
  });

  it('delivers no message of a task while another message of the task is hidden', async () => {
    const { broker, receive, receiveIds } = given();
    await broker.send([messageOf('a')]);
    const [held] = await receive();
    await broker.send([messageOf('a', 2), messageOf('b')]);
    expect(await receiveIds()).toEqual(['b']);
    await broker.delete([held?.receiptHandle ?? '']);
    expect(await receiveIds()).toEqual(['a']);
  });

  it('delivers at most ten messages per receive call', async () => {
    const { broker, receive } = given();
    await broker.send(Array.from({ length: 12 }, (_, i) => messageOf(`t${i}`)));
    expect(await receive()).toHaveLength(10);
    expect(await receive()).toHaveLength(2);
  });

  it('deletes a message after fourteen days', async () => {
    const { clock, broker, receiveIds } = given();
    await broker.send([messageOf('a')]);
    await clock.advance(14 * 24 * 60 * minuteMs);
    expect(await receiveIds()).toEqual([]);
  });

  it('hides a message for at most twelve hours after its receipt', async () => {
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

describe('the simulated external broker with faults', () => {
  it('loses, doubles, delays or refuses a message', async () => {
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

  it('treats a valid receipt handle as stale, or a stale one as valid', async () => {
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
