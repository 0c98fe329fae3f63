import { expect, it } from 'vitest';
import { apiNode, item, submitItems } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';

it('a worker whose credits exceed the size of one claim batch gets as many tasks as it has credits', async () => {
  const node = await apiNode();
  for (const part of ['a', 'b', 'c']) {
    await submitItems(node, ...Array.from({ length: 100 }, (_, i) => item(`${part}-${i}`)));
  }
  const assigned: Assignment[] = [];
  const hello = { tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'] };
  const types = [{ type: 'note', maxVersion: 1 }];
  const session = node.service.openSession(
    { ...hello, types, tasks: 256, bytes: 1_000_000, reportsBegun: true },
    { assign: (_seq, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
  );
  await node.clock.advance(1_000);
  expect(assigned).toHaveLength(256);
  session.close();
});

it('a worker that does not acknowledge its assignments gets no more tasks until it acknowledges them', async () => {
  const node = await apiNode();
  const assigned: number[] = [];
  const hello = { tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'] };
  const types = [{ type: 'note', maxVersion: 1 }];
  const session = node.service.openSession(
    { ...hello, types, tasks: 10, bytes: 1_000_000, reportsBegun: true },
    { assign: (seq) => void assigned.push(seq), cancel() {}, drain() {} },
  );
  const countAfterSubmit = async (key: string): Promise<number> => {
    await submitItems(node, item(key));
    await node.clock.advance(10);
    return assigned.length;
  };
  expect(await countAfterSubmit('a')).toBe(1);
  // The worker sent this credit message before it hung, and the node receives the message after it has sent the assignment.
  session.credit(0, 0, []);
  expect(await countAfterSubmit('b')).toBe(2);
  await node.clock.advance(1_100);
  expect(await countAfterSubmit('c')).toBe(2);
  await node.clock.advance(25_000);
  expect(assigned.length).toBe(2);
  session.received(2);
  await node.clock.advance(10);
  expect(assigned.length).toBe(3);
  session.close();
});
