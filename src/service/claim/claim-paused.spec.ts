import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const ref = (queue: string) => ({ tenant: 'default', queue });

/**
 * Starts a node. `claim` starts a claim request and returns a list, which gets the claimed tasks and the duration of the
 * request in ms when it ends. `receiveCount` returns how often the node has called the broker's `receive`.
 */
async function startNode() {
  const clock = virtualClock();
  const engine = memory({ clock });
  let receiveCount = 0;
  const receive: typeof engine.broker.receive = (queues, want) => {
    receiveCount++;
    return engine.broker.receive(queues, want);
  };
  const broker = { ...engine.broker, receive };
  const options = { ...engine, broker, node: 'n', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  const claim = (queues: readonly string[], signal = new AbortController().signal) => {
    const answered: { tasks: readonly Assignment[]; tookMs: number }[] = [];
    const beganMs = clock.monotonic();
    const worker = { tenant: 'default', workerName: 'w', workerId: '1', requestId: '', maxTasks: 1 };
    const types = [{ type: 'note', maxVersion: 1 }];
    void service.claim({ ...worker, queues, types, waitMs: 20_000, signal }).then((tasks) => {
      answered.push({ tasks, tookMs: clock.monotonic() - beganMs });
    });
    return answered;
  };
  const pause = (queue: string, paused = true) =>
    service.updateQueue(ref(queue), { paused, create: true }, 'op');
  const submit = (queue: string, key: string) =>
    service.submit(ref(queue), [item(key)], { notAfterMs: undefined });
  return { clock, claim, pause, submit, receiveCount: () => receiveCount };
}

describe('a claim request whose queues are all paused', () => {
  it('waits for the requested time and never calls the broker', async () => {
    const { clock, claim, pause, submit, receiveCount } = await startNode();
    await submit('q', 'k');
    await pause('q');
    const answered = claim(['q']);
    await clock.advance(19_999);
    expect(answered).toEqual([]);
    await clock.advance(1);
    expect(answered).toEqual([{ tasks: [], tookMs: 20_000 }]);
    expect(receiveCount()).toBe(0);
  });

  it('is not started again by a change of a queue that it does not name', async () => {
    const { clock, claim, pause, submit, receiveCount } = await startNode();
    await submit('q', 'k');
    await submit('other', 'k');
    claim(['r']);
    await clock.advance(1_000);
    await pause('q');
    await pause('other');
    await clock.advance(1_000);
    expect(receiveCount()).toBe(1);
  });

  it('gets a task as soon as one of the queues is resumed', async () => {
    const { clock, claim, pause, submit } = await startNode();
    await submit('q', 'k');
    await pause('q');
    await pause('r');
    const answered = claim(['r', 'q']);
    await clock.advance(5_000);
    await pause('q', false);
    await clock.advance(0);
    expect(answered).toMatchObject([{ tasks: [{ key: 'k' }], tookMs: 5_000 }]);
  });

  it('waits no longer than requested in total, even if queue settings change meanwhile', async () => {
    const { clock, claim, pause } = await startNode();
    await pause('q');
    const answered = claim(['q']);
    for (let i = 0; i < 3; i++) {
      await clock.advance(5_000);
      await pause('other', i % 2 === 0);
    }
    await clock.advance(4_999);
    expect(answered).toEqual([]);
    await clock.advance(1);
    expect(answered).toEqual([{ tasks: [], tookMs: 20_000 }]);
  });

  it('ends when its caller disconnects', async () => {
    const { clock, claim, pause } = await startNode();
    await pause('q');
    const caller = new AbortController();
    const answered = claim(['q'], caller.signal);
    await clock.advance(1_000);
    caller.abort();
    await clock.advance(0);
    expect(answered).toMatchObject([{ tasks: [], tookMs: 1_000 }]);
  });
});

describe('a claim request that waits', () => {
  it('gets no task of a queue that is paused meanwhile, but gets a task of another queue that is resumed', async () => {
    const { clock, claim, pause, submit } = await startNode();
    await pause('r');
    await submit('r', 'of r');
    const answered = claim(['q', 'r']);
    await clock.advance(1_000);
    await pause('q');
    await submit('q', 'of q');
    await clock.advance(1_000);
    expect(answered).toEqual([]);
    await pause('r', false);
    await clock.advance(0);
    expect(answered).toMatchObject([{ tasks: [{ key: 'of r' }] }]);
  });
});

describe('a delivery that is received before its node knows that the queue is paused', () => {
  const brokers = [
    ['an external broker', externalMemory],
    ['a transactional broker', memory],
  ] as const;
  it.each(brokers)(
    'is not claimed on %s, and is received again once the queue is resumed',
    async (_, open) => {
      const clock = virtualClock();
      const engine = open({ clock });
      const hooks = { onReceived: async (): Promise<unknown> => undefined };
      const broker = {
        ...engine.broker,
        receive: async (...args: Parameters<typeof engine.broker.receive>) => {
          const deliveries = await engine.broker.receive(...args);
          if (deliveries.length > 0) await hooks.onReceived();
          return deliveries;
        },
      };
      const options = { ...engine, broker, node: 'n', clock, log: silentLog, createQueues: true };
      const { service, settled } = await createService(options);
      const pause = (paused: boolean) => service.updateQueue(ref('q'), { paused }, 'op');
      const [accepted] = await service.submit(ref('q'), [item('k')], { notAfterMs: undefined });
      const id = accepted?.error === undefined ? (accepted?.id ?? '') : '';
      const claim = () =>
        service.claim({
          ...{ tenant: 'default', workerName: 'w', workerId: '1', requestId: '', maxTasks: 1, waitMs: 0 },
          ...{
            queues: ['q'],
            types: [{ type: 'note', maxVersion: 1 }],
            signal: new AbortController().signal,
          },
        });
      hooks.onReceived = () => pause(true);
      expect(await claim()).toEqual([]);
      await settled();
      hooks.onReceived = async () => undefined;
      await pause(false);
      expect((await claim()).map(({ key }) => key)).toEqual(['k']);
      expect((await service.history('default', id, 0)).map(({ kind }) => kind)).toEqual([
        'submitted',
        'claimed',
      ]);
    },
  );
});
