import { expect, it } from 'vitest';
import { apiNode, item, submitItems } from '../../../test/fixtures/api-node.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

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

it('tasks of a queue that is paused while they are claimed are recalled as soon as they are assigned', async () => {
  const clock = virtualClock();
  const engine = memory({ clock });
  const ref = { tenant: 'default', queue: 'q' };
  const hooks = { beforeClaim: async (): Promise<unknown> => undefined };
  const store = {
    ...engine.store,
    append: async (...args: Parameters<typeof engine.store.append>) => {
      await hooks.beforeClaim();
      return engine.store.append(...args);
    },
  };
  const options = { ...engine, store, node: 'n', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  await service.submit(ref, [item('a'), item('b')], { notAfterMs: undefined });
  hooks.beforeClaim = () => service.updateQueue(ref, { paused: true }, 'op');
  const seen: (string | CancelCause)[] = [];
  const hello = { tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'] };
  const types = [{ type: 'note', maxVersion: 1 }];
  const session = service.openSession(
    { ...hello, types, tasks: 2, bytes: 1_000_000, reportsBegun: true },
    {
      assign: (_seq, tasks) => void seen.push(...tasks.map(({ key }) => key)),
      cancel: (_id, _fencingToken, cause) => void seen.push(cause),
      drain() {},
    },
  );
  await clock.advance(1_000);
  expect(seen).toEqual(['a', 'b', 'paused', 'paused']);
  session.close();
});
