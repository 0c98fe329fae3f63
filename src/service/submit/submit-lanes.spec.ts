import { describe, expect, it } from 'vitest';
import { ensureAccepted, item, noOptions, specOf } from '../../../test/fixtures/api-node.ts';
import type { OptionsRequest } from '../../core/submission/submission.ts';
import type { DispatchMessage } from '../../ports/broker.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const target = { tenant: 'default', queue: 'q' };
const call = { notAfterMs: undefined };

/**
 * Starts a node. `messages` holds the dispatch messages that the node sends, `lanesRead` the lane of each
 * read of a lane's first unfinished task.
 */
async function startNode() {
  const clock = virtualClock();
  const messages: DispatchMessage[] = [];
  let fails = false;
  const slow = { appends: 0 };
  const send = (message: DispatchMessage): 'sent' | 'failed' => {
    messages.push(message);
    return fails ? 'failed' : 'sent';
  };
  const before = ({ name }: { readonly name: string }): Promise<void> | undefined =>
    name === 'store.append' && slow.appends-- > 0 ? clock.sleep(1_000) : undefined;
  const engine = externalMemory({ clock, faults: { send, before } });
  const lanesRead: string[] = [];
  const lowest: typeof engine.store.lowest = (lane) => {
    lanesRead.push(lane.orderingKey);
    return engine.store.lowest(lane);
  };
  const store = Object.assign(Object.create(engine.store) as typeof engine.store, { lowest });
  const options = { ...engine, store, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const sendsFail = (fail: boolean): void => {
    fails = fail;
  };
  /** Claims and settles tasks one after the other until none is left, and returns their keys in that order. */
  const runAll = async (outcome: 'succeeded' | 'fatal'): Promise<string[]> => {
    const ran: string[] = [];
    for (;;) {
      const [task] = await service.claim({
        ...{ tenant: 'default', queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], waitMs: 0 },
        ...{
          workerName: 'w',
          workerId: '1',
          requestId: '',
          signal: new AbortController().signal,
          maxTasks: 1,
        },
      });
      if (task === undefined) return ran;
      ran.push(task.key);
      const settlement = { lease: task.lease, outcome, result: undefined, message: '', errorType: '' };
      await service.settle([{ ...settlement, afterMs: undefined, begun: false }], {
        tenant: 'default',
        sessionId: undefined,
      });
      await settled();
    }
  };
  return { clock, service, messages, lanesRead, sendsFail, runAll, slow };
}

const inLane = (key: string, lane: string, options: Partial<OptionsRequest> = {}) =>
  item(key, { spec: specOf('{}', 'note', lane), options: { ...noOptions, ...options } });

describe('a call that submits several tasks of a lane', () => {
  it('sends one dispatch message per lane, for the first unfinished task of the lane', async () => {
    const { service, messages, lanesRead } = await startNode();
    const keys = ['a', 'b', 'c', 'd'];
    const items = [...keys.map((key) => inLane(key, 'ann')), ...keys.map((key) => inLane(`${key}2`, 'bob'))];
    const results = await service.submit(target, items, call);
    expect(lanesRead.sort()).toEqual(['ann', 'bob']);
    const first = [results[0], results[4]].map((one) => (one?.error === undefined ? one?.id : ''));
    expect(messages.map((message) => message.id).sort()).toEqual(first.sort());
  });

  it('acknowledges none of the tasks if their dispatch message cannot be sent, and sends it when the call is repeated', async () => {
    const { service, messages, sendsFail } = await startNode();
    const items = [inLane('a', 'ann'), inLane('b', 'ann')];
    sendsFail(true);
    const refused = await service.submit(target, items, call);
    expect(refused.every(({ error }) => error !== undefined)).toBe(true);
    sendsFail(false);
    messages.length = 0;
    const repeated = await service.submit(target, items, call);
    expect(repeated.every(({ error }) => error === undefined)).toBe(true);
    expect(messages).not.toEqual([]);
  });

  it('makes the tasks run in the order submitted, even if some of their keys belonged to tasks that ended long ago', async () => {
    const { clock, service, runAll } = await startNode();
    const batch = (keys: string) => [...keys].map((key) => inLane(key, 'ann', { windowMs: 60_000 }));
    await service.submit(target, batch('ace'), call);
    expect((await runAll('succeeded')).join('')).toBe('ace');
    await clock.advance(60_000);
    const results = await service.submit(target, batch('abcdef'), call);
    expect(results.map((one) => ensureAccepted(one).deduplicated)).toEqual(new Array(6).fill(false));
    expect((await runAll('succeeded')).join('')).toBe('abcdef');
  });

  it('makes dead tasks run again behind the new tasks, in the order submitted, even if a redrive is slow', async () => {
    const { clock, service, runAll, slow } = await startNode();
    const batch = (keys: string) => [...keys].map((key) => inLane(key, 'ann', { whenDead: 'redrive' }));
    await service.submit(target, batch('ace'), call);
    await runAll('fatal');
    slow.appends = 1;
    const submitted = service.submit(target, batch('ebcda'), call);
    await clock.advance(1_000);
    const results = await submitted;
    expect(results.map((one) => ensureAccepted(one).deduplicated)).toEqual([true, false, true, false, true]);
    expect((await runAll('succeeded')).join('')).toBe('bdeca');
  });
});
