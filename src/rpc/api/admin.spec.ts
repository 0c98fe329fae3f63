import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  anyone,
  apiNode,
  calledBy,
  item,
  Recorded,
  refusal,
  submitted,
} from '../../../test/fixtures/api-node.ts';
import type { WorkResponse } from '../../core/messages.ts';
import { silentLog } from '../../ports/log.ts';
import { startRuntime } from '../../runtime/runtime.ts';
import { createService } from '../../service/create-service.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import {
  AdminService,
  GetQueueRequestSchema,
  ListQueuesRequestSchema,
  ListWorkersRequestSchema,
  OnDead,
  PauseQueueRequestSchema,
  ResumeQueueRequestSchema,
  UpdateQueueRequestSchema,
} from '../gen/holdfast/v1/admin_service_pb.ts';
import { createApi } from './create-api.ts';

const { getQueue, listQueues, listWorkers, pauseQueue, resumeQueue, updateQueue } = AdminService.method;

describe('queues', () => {
  it('are shown with what waits in them', async () => {
    const node = await apiNode();
    await submitted(node, item('a'), item('b'));
    const { queue } = await node.api.call(getQueue, create(GetQueueRequestSchema, { name: 'q' }), calledBy());
    expect(queue).toMatchObject({
      tenant: 'default',
      name: 'q',
      paused: false,
      onDead: OnDead.RELEASE,
      workers: 0,
    });
    expect(queue?.counts).toMatchObject({ ready: 2n, scheduled: 0n, running: 0n, dead: 0n });
  });

  it('are changed by who may', async () => {
    const node = await apiNode();
    await submitted(node, item('a'));
    const hold = create(UpdateQueueRequestSchema, { name: 'q', onDead: OnDead.HOLD });
    expect((await node.api.call(updateQueue, hold, calledBy())).queue?.onDead).toBe(OnDead.HOLD);
    const pause = create(PauseQueueRequestSchema, { name: 'q' });
    expect((await node.api.call(pauseQueue, pause, calledBy())).queue).toMatchObject({
      paused: true,
      onDead: OnDead.HOLD,
    });
    const resume = create(ResumeQueueRequestSchema, { name: 'q' });
    expect((await node.api.call(resumeQueue, resume, calledBy())).queue?.paused).toBe(false);
    const reader = calledBy({ ...anyone, verbs: ['read'] });
    for (const [method, request] of [
      [updateQueue, hold],
      [pauseQueue, pause],
      [resumeQueue, resume],
    ] as const) {
      expect((await refusal(node.api.call(method, request as never, reader))).reason).toBe('DENIED');
    }
  });

  it('that are unknown are named so', async () => {
    const { api } = await apiNode();
    const error = await refusal(
      api.call(getQueue, create(GetQueueRequestSchema, { name: 'nope' }), calledBy()),
    );
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
  });

  it('are listed as far as the identity may use them', async () => {
    const node = await apiNode();
    await submitted(node, item('a'));
    await node.api.submit({ tenant: '', queue: 'mail', items: [item('a')] }, calledBy());
    const names = async (queues: string[]) => {
      const call = node.api.call(
        listQueues,
        create(ListQueuesRequestSchema),
        calledBy({ ...anyone, queues }),
      );
      return (await call).queues.map((queue) => queue.name).sort();
    };
    expect(await names([])).toEqual(['mail', 'q']);
    expect(await names(['mail'])).toEqual(['mail']);
  });
});

describe('workers', () => {
  it('are listed while their stream lives', async () => {
    const { api } = await apiNode();
    const list = async () =>
      (await api.call(listWorkers, create(ListWorkersRequestSchema, { queue: 'q' }), calledBy())).workers;
    const worker = api.work(new Recorded<WorkResponse>(), calledBy());
    const types = [{ type: 'note', maxVersion: 2 }];
    worker.message({
      kind: 'hello',
      tenant: '',
      workerName: 'w',
      workerId: 'i',
      queues: ['q'],
      types,
      tasks: 1,
      bytes: 1,
    });
    expect(await list()).toMatchObject([{ name: 'w', id: 'i', queues: ['q'], types: ['note'], inFlight: 0 }]);
    worker.closed(undefined);
    expect(await list()).toEqual([]);
  });

  it('are shown with the queues that the asker may use, and not at all without one', async () => {
    const { api } = await apiNode();
    const list = async (queues: readonly string[]) => {
      const request = create(ListWorkersRequestSchema, {});
      return (await api.call(listWorkers, request, calledBy({ ...anyone, queues }))).workers;
    };
    const hello = { tenant: '', workerName: 'w', workerId: 'i', tasks: 1, bytes: 1 };
    const types = [{ type: 'note', maxVersion: 1 }];
    const worker = api.work(new Recorded<WorkResponse>(), calledBy());
    worker.message({ kind: 'hello', ...hello, queues: ['q', 'secret'], types });
    expect(await list(['q', 'mail'])).toMatchObject([{ name: 'w', queues: ['q'] }]);
    expect(await list([])).toMatchObject([{ name: 'w', queues: ['q', 'secret'] }]);
    expect(await list(['mail'])).toEqual([]);
    worker.closed(undefined);
  });

  it('of another node are shown by the same rules, with their node and versions', async () => {
    const clock = virtualClock();
    const engine = externalMemory({ clock });
    const begin = (node: string) =>
      createService({ ...engine, node, clock, log: silentLog, createQueues: true });
    const [server, other] = [await begin('server'), await begin('other')];
    startRuntime(other, { takesPart: false });
    const hello = { tenant: 'default', workerName: 'w', workerId: 'i', tasks: 1, bytes: 1 };
    const types = [{ type: 'note', maxVersion: 3 }];
    const sink = { assign() {}, cancel() {}, drain() {} };
    other.service.openSession({ ...hello, queues: ['q', 'secret'], types }, sink);
    await clock.advance(5_000);
    const api = createApi({ service: server.service, clock, log: silentLog, node: 'server' });
    const list = (asker: Partial<typeof anyone>) =>
      api.call(listWorkers, create(ListWorkersRequestSchema, {}), calledBy({ ...anyone, ...asker }));
    const all = { name: 'w', node: 'other', types: ['note'], maxVersions: [3], othersAlike: 0 };
    expect(await list({})).toMatchObject({
      incomplete: false,
      workers: [{ ...all, queues: ['q', 'secret'] }],
    });
    expect((await list({ queues: ['q'] })).workers).toMatchObject([{ ...all, queues: ['q'] }]);
    expect((await list({ queues: ['mail'] })).workers).toEqual([]);
    expect((await list({ tenants: ['acme'] })).workers).toEqual([]);
    expect((await refusal(list({ verbs: ['submit'] }))).reason).toBe('DENIED');
  });
});
