import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { limits, timing } from '../../core/limits.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { startRuntime } from '../../runtime/runtime.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import type { ClaimRequest } from '../service.ts';
import { Pollers } from './pollers.ts';

const tenant = 'default';
const poll = (more: Partial<ClaimRequest> = {}): ClaimRequest => ({
  ...{ tenant, workerName: 'curl', workerId: '1', queues: ['q'], types: [{ type: 'note', maxVersion: 2 }] },
  ...{ maxTasks: 1, waitMs: 0, requestId: '', caller: 'alice', signal: new AbortController().signal },
  ...more,
});

async function twoNodes() {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const start = (node: string) =>
    createService({ ...engine, node, clock, log: silentLog, createQueues: true });
  const [first, other] = [await start('first'), await start('other')];
  startRuntime(first, { takesPart: false });
  return { clock, service: first.service, other: other.service };
}

describe('a worker that claims by single calls', () => {
  it('is listed while it polls and for a minute after its last poll, with its queues, types and versions', async () => {
    const clock = virtualClock();
    const options = { ...memory({ clock }), node: 'n', clock, log: silentLog, createQueues: true };
    const { service } = await createService(options);
    const listed = async () => (await service.workers(tenant, 'q')).workers;
    expect(await listed()).toEqual([]);
    const claiming = service.claim(poll({ waitMs: 20_000 }));
    await clock.settle();
    expect(await listed()).toMatchObject([
      { name: 'curl', id: '1', queues: ['q'], types: ['note'], maxVersions: [2], node: 'n', polls: true },
    ]);
    await clock.advance(20_000);
    await claiming;
    await clock.advance(timing.pollerKnownMs - 1);
    expect(await listed()).toMatchObject([
      { connectedAtMs: clock.now() - 20_000 - timing.pollerKnownMs + 1 },
    ]);
    await clock.advance(1);
    expect(await listed()).toEqual([]);
  });

  it('is one entry however often it polls, with the number of tasks that it holds', async () => {
    const clock = virtualClock();
    const options = { ...memory({ clock }), node: 'n', clock, log: silentLog, createQueues: true };
    const { service } = await createService(options);
    await service.submit({ tenant, queue: 'q' }, [item('a'), item('b')], { notAfterMs: undefined });
    for (let i = 0; i < 2; i++) expect(await service.claim(poll())).toHaveLength(1);
    await service.claim(poll({ types: [{ type: 'other', maxVersion: 1 }] }));
    const { workers, isComplete } = await service.workers(tenant, 'q');
    expect(workers.map(({ types, inFlight }) => [types, inFlight])).toEqual(
      expect.arrayContaining([
        [['other'], expect.any(Number)],
        [['note'], expect.any(Number)],
      ]),
    );
    expect(workers.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(2);
    expect(isComplete).toBe(true);
    expect((await service.queue({ tenant, queue: 'q' })).workers).toBe(2);
  });

  it('is listed by another node of the store within 10 s of its first poll, and no longer 10 s after its minute', async () => {
    const { clock, service, other } = await twoNodes();
    await service.claim(poll());
    await clock.advance(10_000);
    expect((await other.workers(tenant, 'q')).workers).toMatchObject([
      { name: 'curl', node: 'first', polls: true },
    ]);
    await clock.advance(timing.pollerKnownMs);
    expect((await other.workers(tenant, 'q')).workers).toEqual([]);
  });

  it('is not listed for another tenant', async () => {
    const { service } = await twoNodes();
    await service.claim(poll());
    expect((await service.workers('acme', 'q')).workers).toEqual([]);
  });
});

describe('the memory for workers that claim by single calls', () => {
  const types = Array.from({ length: limits.workerTypes }, (_, i) => ({
    type: `t${i}`.padEnd(limits.nameChars, 'x'),
    maxVersion: 1,
  }));
  const nothing = () => 0;

  it('is bounded for each identity, and the list is incomplete for a minute after a worker was forgotten', async () => {
    const clock = virtualClock();
    const pollers = new Pollers(clock);
    pollers.begin(poll({ caller: 'bob' }))();
    for (let i = 0; i < 200; i++) pollers.begin(poll({ workerId: `${i}`, types }))();
    expect(pollers.bytes).toBeLessThan(limits.pollerBytesPerIdentity + 1_024);
    const { workers, isComplete } = pollers.list('n', nothing);
    expect(isComplete).toBe(false);
    expect(workers.map(({ id }) => id)).toEqual(expect.arrayContaining(['1', '199']));
    await clock.advance(timing.pollerKnownMs);
    expect(pollers.list('n', nothing)).toEqual({ workers: [], isComplete: true });
    expect(pollers.bytes).toBe(0);
  });

  it('is bounded for the node: the identity with the most pollers loses one first', () => {
    const pollers = new Pollers(virtualClock());
    pollers.begin(poll({ caller: 'bob', workerId: 'few' }))();
    for (let i = 0; i < 600; i++) pollers.begin(poll({ caller: `c${i % 8}`, workerId: `${i}`, types }))();
    expect(pollers.bytes).toBeLessThanOrEqual(limits.pollerBytes);
    expect(pollers.list('n', nothing).workers.some(({ id }) => id === 'few')).toBe(true);
  });
});

it('another node knows that a node has forgotten a worker that polled it', async () => {
  const { clock, service, other } = await twoNodes();
  const types = Array.from({ length: limits.workerTypes }, (_, i) => ({ type: `t${i}`, maxVersion: 1 }));
  for (let i = 0; i < 200; i++) await service.claim(poll({ workerId: `${i}`, types }));
  await clock.advance(10_000);
  expect((await other.workers(tenant, 'q')).isComplete).toBe(false);
});
