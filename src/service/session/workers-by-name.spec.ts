/** Tests which of several streams gets the messages for a worker. */
import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { startNode } from '../../node/node.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';

/** Starts a node on which the test opens streams of workers that all have the same name and id. */
async function withNode() {
  const clock = virtualClock();
  const node = await startNode({ engine: memory({ clock }), clock, log: silentLog, node: 'n' });
  const open = (tenant: string, tasks = 4) => {
    const assigned: Assignment[] = [];
    const cancelled: string[] = [];
    const hello = { tenant, workerName: 'w', workerId: '1', queues: ['q'], reportsBegun: true };
    const session = node.service.openSession(
      { ...hello, types: [{ type: 'note', maxVersion: 1 }], tasks, bytes: 1_000_000 },
      {
        assign(seq, some) {
          assigned.push(...some);
          session.received(seq);
        },
        cancel: (id) => void cancelled.push(id),
        drain() {},
      },
    );
    return { session, assigned, cancelled };
  };
  const submit = async (key: string) => {
    const scope = { tenant: 'acme', queue: 'q' };
    const [submitted] = await node.service.submit(scope, [item(key)], { notAfterMs: undefined });
    await clock.advance(100);
    if (submitted === undefined || !('id' in submitted)) return expect.fail('nothing was submitted');
    return submitted.id;
  };
  const cancel = async (id: string) => {
    await node.service.cancel('acme', id, { actor: '', message: '' });
    await clock.advance(100);
  };
  const settle = async (lease: Uint8Array, tenant: string, sessionId: string) => {
    const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined };
    const success = { lease, outcome: 'succeeded', begun: true, ...nothing } as const;
    const answer = await node.service.settle([success], { tenant, sessionId });
    await clock.advance(100);
    return answer;
  };
  const stateOf = async (id: string) => (await node.service.get('acme', id, false)).snapshot.head;
  return { node, clock, open, submit, cancel, settle, stateOf };
}

it('a cancel reaches the worker of the task’s tenant, not one of the same name and id of another tenant', async () => {
  const { node, open, submit, cancel } = await withNode();
  const own = open('acme');
  const foreign = open('evil');
  const id = await submit('a');
  await cancel(id);
  expect([own.cancelled, foreign.cancelled]).toEqual([[id], []]);
  await node.close();
});

it('a worker of another tenant neither stops the stream of one with the same name and id nor begins its tasks', async () => {
  const { node, open, submit, stateOf } = await withNode();
  const own = open('acme');
  const foreign = open('evil');
  const id = await submit('a');
  const [{ fencingToken, lease } = expect.fail('nothing was assigned')] = own.assigned;
  foreign.session.begun([], [{ id, fencingToken, lease }]);
  expect(await stateOf(id)).toMatchObject({ begun: false });
  own.session.begun([], [{ id, fencingToken, lease }]);
  expect(await stateOf(id)).toMatchObject({ begun: true });
  await node.close();
});

it('the credits of a settled task do not go to a session of another tenant', async () => {
  const { node, open, submit, settle } = await withNode();
  const own = open('acme');
  const foreign = open('evil');
  await submit('a');
  const [{ lease } = expect.fail('nothing was assigned')] = own.assigned;
  expect(await settle(lease, 'acme', foreign.session.id)).toMatchObject({ credited: false });
  await node.close();
});

it('once the newer of two streams of a worker has closed, a cancel reaches the older one', async () => {
  const { node, open, submit, cancel } = await withNode();
  const older = open('acme');
  const newer = open('acme');
  older.session.keepAlive();
  newer.session.close();
  const id = await submit('a');
  await cancel(id);
  expect([older.cancelled, newer.cancelled]).toEqual([[id], []]);
  await node.close();
});

it('a settlement that names the stream of a worker that has opened another one gives that stream no task, a message on it does', async () => {
  const { node, open, submit, settle } = await withNode();
  const older = open('acme', 1);
  await submit('a');
  const newer = open('acme', 0);
  await submit('b');
  const [{ lease } = expect.fail('nothing was assigned')] = older.assigned;
  expect(await settle(lease, 'acme', older.session.id)).toMatchObject({ credited: true });
  expect([older.assigned.length, newer.assigned.length]).toEqual([1, 0]);
  older.session.begun([], []);
  await submit('c');
  expect(older.assigned.length).toBeGreaterThan(1);
  await node.close();
});
