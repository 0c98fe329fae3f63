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

/**
 * Starts a node with one task in a lane; `messages` holds every dispatch message that the node sent after the submission of
 * that task.
 */
async function startNode() {
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

/** Claims the node's only task and settles it as fatal, so that the task dies and leaves its lane. */
async function die({ service, settled }: Awaited<ReturnType<typeof startNode>>): Promise<void> {
  const [assigned] = await service.claim({
    ...{ tenant, queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1 },
    ...{ workerName: 'w', workerId: '1', waitMs: 0, requestId: '', signal: new AbortController().signal },
  });
  const rest = { result: undefined, message: 'no', errorType: '', afterMs: undefined, begun: false };
  const fatal = { lease: assigned?.lease ?? expect.fail(), outcome: 'fatal', ...rest } as const;
  await service.settle([fatal], { tenant, sessionId: undefined });
  await settled();
}

describe('a process that stalled while it dispatched the next task of a lane', () => {
  it('sends no dispatch message for a task that has meanwhile left its position in the lane', async () => {
    const { context, store, messages, id } = await startNode();
    const now = (await store.lowest(lane)) ?? expect.fail();
    // The stalled process reads an outdated first place of the lane, and at its next read an empty lane.
    const answers = [{ id, seq: now.seq - 1 }, undefined];
    const stalled = { ...store, lowest: async () => answers.shift() };
    await dispatchLowest({ ...context, store: stalled }, lane, 'handOver');
    expect(messages).toEqual([]);

    await dispatchLowest(context, lane, 'handOver');
    expect(messages.map((message) => message.id)).toEqual([now.id]);
  });

  it('removes only the ended task’s old place in the lane, not the new place that a redrive gave the task', async () => {
    const node = await startNode();
    const { context, service, store, id, read } = node;
    await die(node);
    const { head, ...dead } = await read();
    expect(head).toMatchObject({ state: 'dead', handOver: false });
    await service.redrive(tenant, id, 'operator');
    const redriven = await read();
    expect(redriven.laneSeq).toBeGreaterThan(dead.laneSeq ?? 0);

    // A stalled process wakes up and ends the hand-over of the lane again, with the snapshot that it read before another
    // process ended it.
    await handOver(context, { ...dead, head: { ...head, handOver: true, revision: head.revision - 1 } });
    expect(await store.lowest(lane)).toEqual({ id, seq: redriven.laneSeq });
    expect(await read()).toEqual(redriven);
  });
});

describe('a repeated submission of a task whose lane does not show its place yet', () => {
  it('sends the dispatch message of the task', async () => {
    const { service, store, messages, id } = await startNode();
    // The answer to the commit was lost, and a query of the lane still shows the time before it.
    store.lowest = async () => undefined;
    const spec = specOf('{}', 'note', 'lane');
    await service.submit(target, [item('k', { spec })], { notAfterMs: undefined });
    expect(messages.map((message) => message.id)).toEqual([id]);
  });

  it('sends nothing if the task has ended and left its lane', async () => {
    const node = await startNode();
    await die(node);
    node.messages.length = 0;
    const spec = specOf('{}', 'note', 'lane');
    await node.service.submit(target, [item('k', { spec })], { notAfterMs: undefined });
    expect(node.messages).toEqual([]);
  });
});
