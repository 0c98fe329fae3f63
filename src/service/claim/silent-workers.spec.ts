import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { startNode } from '../../node/node.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';

const queue = { tenant: 'default', queue: 'q' };
const types = [{ type: 'note', maxVersion: 1 }];

/** Starts a node whose first worker has begun a task `a`, has room for more, and sends nothing from then on. */
async function withSilentWorker(open: typeof memory | typeof externalMemory) {
  const clock = virtualClock();
  const node = await startNode({ engine: open({ clock }), clock, log: silentLog, node: 'n' });
  const assigned: { worker: string; key: string }[] = [];
  const openSession = (name: string, stream = name) => {
    const hello = { tenant: 'default', workerName: name, workerId: '1', queues: ['q'] };
    const session = node.service.openSession(
      { ...hello, types, tasks: 10, bytes: 1_000_000, reportsBegun: true },
      {
        assign(seq, tasks: readonly Assignment[]) {
          assigned.push(...tasks.map(({ key }) => ({ worker: stream, key })));
          session.received(seq);
        },
        cancel() {},
        drain() {},
      },
    );
    return session;
  };
  const submit = async (key: string) => {
    await node.service.submit(queue, [item(key)], { notAfterMs: undefined });
    await clock.advance(100);
  };
  const silent = openSession('silent');
  // No lease expires in the first 15 s of a node.
  await clock.advance(20_000);
  await submit('a');
  silent.begun([1], []);
  return { node, clock, assigned, silent, openSession, submit };
}

describe.each([
  ['a transactional broker', memory],
  ['an external broker', externalMemory],
] as const)('with %s', (_kind, open) => {
  it('the expired task of a worker that sends nothing goes to another worker, although its stream is open', async () => {
    const { node, clock, assigned, openSession } = await withSilentWorker(open);
    openSession('other');
    await clock.advance(35_000);
    expect(assigned).toEqual([
      { worker: 'silent', key: 'a' },
      { worker: 'other', key: 'a' },
    ]);
    await node.close();
  });

  it('a worker whose task expired is given nothing until it sends a message, and then works on', async () => {
    const { node, clock, assigned, silent, submit } = await withSilentWorker(open);
    await clock.advance(40_000);
    await submit('b');
    expect(assigned).toEqual([{ worker: 'silent', key: 'a' }]);
    silent.keepAlive();
    await clock.advance(5_000);
    expect(
      assigned
        .slice(1)
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(['a', 'b']);
    await node.close();
  });

  it('the expired task of a worker that sends nothing is not given back on the stream that followed the one of its claim', async () => {
    const { node, clock, assigned, silent, openSession } = await withSilentWorker(open);
    openSession('silent', 'again');
    silent.close();
    await clock.advance(40_000);
    expect(assigned).toEqual([{ worker: 'silent', key: 'a' }]);
    await node.close();
  });

  it('a worker that has opened another stream gets its tasks there, although its first stream is open and has credits', async () => {
    const { node, clock, assigned, openSession, submit } = await withSilentWorker(open);
    openSession('silent', 'again');
    await submit('b');
    expect(assigned.at(-1)).toEqual({ worker: 'again', key: 'b' });
    await clock.advance(1_000);
    expect(assigned).toHaveLength(2);
    await node.close();
  });
});
