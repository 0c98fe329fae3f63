import { describe, expect, it } from 'vitest';
import { item, specOf } from '../../test/fixtures/api-node.ts';
import type { DispatchMessage } from '../ports/broker.ts';
import { silentLog } from '../ports/log.ts';
import { externalMemory } from '../testing/external-broker.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { createService } from './create-service.ts';
import { dispatchLowest, handOver } from './hand-over.ts';

const tenant = 'default';
const target = { tenant, queue: 'q' };
const lane = { ...target, orderingKey: 'lane' };

/** A node with one task in its lane, and every ring that it sent since. */
async function given() {
  const clock = virtualClock();
  const messages: DispatchMessage[] = [];
  const send = (message: DispatchMessage): 'sent' => {
    messages.push(message);
    return 'sent';
  };
  const { store, ...engine } = externalMemory({ clock, faults: { send } });
  const options = { ...engine, store, node: 'node-1', clock, log: silentLog, createQueues: true };
  const node = await createService(options);
  const spec = specOf('{}', 'note', 'lane');
  const [task] = await node.service.submit(target, [item('k', { spec })], { notAfterMs: undefined });
  if (task?.error !== undefined || task === undefined) throw new Error('refused');
  messages.length = 0;
  const read = async () => (await store.read([task.id], clock.now()))[0] ?? expect.fail();
  return { ...node, store, messages, id: task.id, read };
}

/** Claims the task and tells that it never can be done; its lane is handed on. */
async function die({ service, settled }: Awaited<ReturnType<typeof given>>): Promise<void> {
  const [assigned] = await service.claim({
    ...{ tenant, queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1 },
    ...{ workerName: 'w', workerId: '1', waitMs: 0, requestId: '', signal: new AbortController().signal },
  });
  const told = { result: undefined, message: 'no', errorType: '', afterMs: undefined };
  const fatal = { lease: assigned?.lease ?? expect.fail(), outcome: 'fatal', ...told } as const;
  await service.settle([fatal], { tenant, sessionId: undefined });
  await settled();
}

describe('a hand-over by a process that stalled', () => {
  it('rings no task for a place in its lane that it has left meanwhile', async () => {
    const { context, store, messages, id } = await given();
    const now = (await store.lowest(lane)) ?? expect.fail();
    // Read long ago; today another task is the lowest, and then none.
    const answers = [{ id, seq: now.seq - 1 }, undefined];
    const stalled = { ...store, lowest: async () => answers.shift() };
    await dispatchLowest({ ...context, store: stalled }, lane, 'handOver');
    expect(messages).toEqual([]);

    await dispatchLowest(context, lane, 'handOver');
    expect(messages.map((message) => message.id)).toEqual([now.id]);
  });

  it('takes away the place that the task left, never the one that a redrive gave it since', async () => {
    const node = await given();
    const { context, service, store, id, read } = node;
    await die(node);
    const { head, ...dead } = await read();
    expect(head).toMatchObject({ state: 'dead', handOver: false });
    await service.redrive(tenant, id, 'operator');
    const redriven = await read();
    expect(redriven.laneSeq).toBeGreaterThan(dead.laneSeq ?? 0);

    // As it was read before the lane was handed on.
    await handOver(context, { ...dead, head: { ...head, handOver: true, revision: head.revision - 1 } });
    expect(await store.lowest(lane)).toEqual({ id, seq: redriven.laneSeq });
    expect(await read()).toEqual(redriven);
  });
});
