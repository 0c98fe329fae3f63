import { expect } from 'vitest';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { queue, type StoreFixture, type SubmissionRequest } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const other = { tenant: queue.tenant, queue: 'other' };
const types = [
  { type: 'send', maxVersion: 1 },
  { type: 'note', maxVersion: 1 },
];

async function acceptSent(
  fixture: StoreFixture,
  requests: readonly SubmissionRequest[],
): Promise<readonly Snapshot[]> {
  const tasks: Snapshot[] = [];
  for (const request of requests) tasks.push(await fixture.acceptAndSend(request));
  return tasks;
}

/** The requirements for the limits of single task types in a receive call, and for the turns of its queues. */
export const limitsAndTurns: Subject = (requires) => {
  requires(
    'a receive call takes no more tasks of a type than it has room for, and goes on to the tasks behind them',
    async (fixture) => {
      const [first, second, third, note] = await acceptSent(fixture, [{}, {}, {}, { type: 'note' }]);
      const roomOfType = (type: string): number => (type === 'send' ? 1 : 10);
      const received = await fixture.receive({ types, roomOfType });
      expect(received.map(({ message }) => message.id)).toEqual([first?.id, note?.id]);
      expect(await fixture.receive({ types, roomOfType: () => 0 })).toEqual([]);
      const rest = await fixture.receive({ types });
      expect(rest.map(({ message }) => message.id)).toEqual([second?.id, third?.id]);
    },
  );

  requires(
    'a receive call of a transactional broker names the deliveries that it takes before the next call reads its room',
    async (fixture) => {
      if (!fixture.transactionalDispatch) return;
      const order: string[] = [];
      const call = (name: string) =>
        fixture.broker.receive(
          [queue],
          fixture.receiveRequest({
            types,
            waitMs: 20_000,
            room: () => {
              order.push(`${name} reads its room`);
              return { tasks: 1, bytes: 1_000_000 };
            },
            taken: (deliveries) => order.push(`${name} takes ${deliveries.length}`),
          }),
        );
      const waiting = [call('a'), call('b')];
      await fixture.clock.settle();
      order.length = 0;
      await acceptSent(fixture, [{}, {}]);
      const received = await Promise.all(waiting);
      expect(received.map((deliveries) => deliveries.length)).toEqual([1, 1]);
      const takes = ['a takes 1', 'b takes 1'].map((line) => order.indexOf(line));
      expect(takes.every((at) => at > 0)).toBe(true);
      for (const name of ['a', 'b'])
        expect(order[order.indexOf(`${name} takes 1`) - 1]).toBe(`${name} reads its room`);
    },
  );

  requires('the limit of a type counts all its versions and all queues together', async (fixture) => {
    await acceptSent(fixture, [{}, { typeVersion: 2 }, { queue: 'other' }]);
    const roomOfType = (): number => 2;
    const handled = [{ type: 'send', maxVersion: 2 }];
    expect(await fixture.receive({ types: handled, roomOfType }, [queue, other])).toHaveLength(2);
  });

  requires(
    'a waiting receive call leaves tasks of a full type and ends with the first task of another type',
    async (fixture) => {
      let room = 0;
      const roomOfType = (type: string): number => (type === 'send' ? room : 10);
      const request = fixture.receiveRequest({ types, roomOfType, waitMs: 20_000 });
      const waiting = fixture.broker.receive([queue], request);
      await fixture.clock.settle();
      const [full] = await acceptSent(fixture, [{}, {}]);
      await fixture.clock.settle();
      if (fixture.broker.isIdle !== undefined) expect(fixture.broker.isIdle(request)).toBe(true);
      const note = await fixture.acceptAndSend({ type: 'note' });
      expect((await waiting).map(({ message }) => message.id)).toEqual([note.id]);
      room = 1;
      const next = await fixture.receive({ types, roomOfType, waitMs: 20_000 });
      expect(next.map(({ message }) => message.id)).toEqual([full?.id]);
    },
  );

  requires(
    'a receive call reads the room of a type only if it finds a task of that type',
    async (fixture) => {
      const seen: string[] = [];
      const roomOfType = (type: string): number => {
        seen.push(type);
        return 0;
      };
      await fixture.acceptAndSend({ type: 'note' });
      await fixture.receive({ types, roomOfType });
      if (fixture.transactionalDispatch) expect(new Set(seen)).toEqual(new Set(['note']));
    },
  );

  requires(
    'a task whose lease expired is left while its type is full, and delivered once the type has room',
    async (fixture) => {
      const task = await fixture.acceptAndSend();
      await fixture.receiveOne();
      await fixture.append(fixture.transition(task, fixture.claimCommand()));
      await fixture.clock.advance(33_000);
      expect(await fixture.receive({ types, roomOfType: () => 0 })).toEqual([]);
      const delivered = await fixture.receive({ types, roomOfType: () => 1 });
      expect(delivered.map(({ message }) => message.id)).toEqual([task.id]);
    },
  );

  requires('the queues of a receive call take turns, beginning with the first one', async (fixture) => {
    const tasks = await acceptSent(fixture, [{}, {}, {}, { queue: 'other' }, { queue: 'other' }]);
    const [a, b, c, d, e] = tasks.map(({ id }) => id);
    const idsOf = async (most: number, queues = [queue, other]): Promise<string[]> =>
      (await fixture.receive({ tasks: most }, queues)).map(({ message }) => message.id);
    if (fixture.transactionalDispatch) {
      expect(await idsOf(5)).toEqual([a, d, b, e, c]);
      return;
    }
    expect(await idsOf(1)).toEqual([a]);
    expect(await idsOf(1, [other, queue])).toEqual([d]);
    expect(await idsOf(1)).toEqual([b]);
  });

  requires('a task of higher priority comes before the turn of another queue', async (fixture) => {
    const tasks = await acceptSent(fixture, [
      {},
      { queue: 'other', options: { priority: 'high' } },
      { queue: 'other', options: { priority: 'high' } },
    ]);
    if (!fixture.transactionalDispatch) return;
    const received = await fixture.receive({ tasks: 2 }, [queue, other]);
    expect(received.map(({ message }) => message.id)).toEqual([tasks[1]?.id, tasks[2]?.id]);
  });
};
