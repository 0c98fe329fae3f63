/** Tests which settlements return their credits to the session of their worker. */
import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { startNode } from '../../node/node.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';

const bytes = 1_000_000;

/** Starts a node with a worker of one credit that has one task. `hold` delays the writes of its store. */
async function withTask() {
  const clock = virtualClock();
  const engine = memory({ clock });
  const append = engine.store.append.bind(engine.store);
  let held = Promise.resolve();
  Object.assign(engine.store, {
    append: async (...args: Parameters<typeof append>) => {
      await held;
      return append(...args);
    },
  });
  const node = await startNode({ engine, clock, log: silentLog, node: 'n' });
  const assigned: Assignment[] = [];
  const types = [{ type: 'note', maxVersion: 1 }];
  const hello = { tenant: 'acme', workerName: 'w', workerId: '1', queues: ['q'], reportsBegun: true };
  const session = node.service.openSession(
    { ...hello, types, tasks: 1, bytes },
    {
      assign(seq, tasks) {
        assigned.push(...tasks);
        session.received(seq);
      },
      cancel() {},
      drain() {},
    },
  );
  const submit = async (key: string): Promise<void> => {
    await node.service.submit({ tenant: 'acme', queue: 'q' }, [item(key)], { notAfterMs: undefined });
    await clock.advance(100);
  };
  await submit('a');
  const settle = () => {
    const [{ lease } = expect.fail('nothing was assigned')] = assigned;
    const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined };
    const success = { lease, outcome: 'succeeded', begun: true, ...nothing } as const;
    return node.service.settle([success], { tenant: 'acme', sessionId: session.id });
  };
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    return resolve;
  };
  const keys = (): string[] => assigned.map(({ key }) => key);
  const replaceCredits = (tasks: number): void => session.reset({ tasks, bytes, types });
  return { node, clock, session, submit, settle, hold, keys, replaceCredits };
}

it('a settlement returns its credit before it is written', async () => {
  const { node, clock, submit, settle, hold, keys } = await withTask();
  await submit('b');
  const goOn = hold();
  const settled = settle();
  await clock.advance(100);
  goOn();
  expect(await settled).toMatchObject({ credited: true, results: [{ state: 'succeeded' }] });
  await clock.advance(100);
  expect(keys()).toEqual(['a', 'b']);
  await node.close();
});

it('the answer to a settlement does not say that a credit is returned which the worker has replaced meanwhile', async () => {
  const { node, clock, session, submit, settle, hold, keys, replaceCredits } = await withTask();
  const goOn = hold();
  const settled = settle();
  await clock.advance(100);
  replaceCredits(0);
  goOn();
  expect(await settled).toMatchObject({ credited: false, results: [{ state: 'succeeded' }] });
  await submit('b');
  expect(keys()).toEqual(['a']);
  session.credit(1, 0, []);
  await clock.advance(100);
  expect(keys()).toEqual(['a', 'b']);
  await node.close();
});
