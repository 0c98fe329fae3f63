import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  anyone,
  apiNode,
  callContext,
  item,
  RecordingStream,
  rejectionOf,
  submitItems,
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
  it('are returned with their settings and the number of their tasks by state', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'), item('b'));
    const { queue } = await node.api.call(
      getQueue,
      create(GetQueueRequestSchema, { name: 'q' }),
      callContext(),
    );
    expect(queue).toMatchObject({
      tenant: 'default',
      name: 'q',
      paused: false,
      onDead: OnDead.RELEASE,
      workers: 0,
    });
    expect(queue?.counts).toMatchObject({ ready: 2n, scheduled: 0n, running: 0n, dead: 0n });
  });

  it('can be changed only with permission for the verb admin', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'));
    const hold = create(UpdateQueueRequestSchema, { name: 'q', onDead: OnDead.HOLD });
    expect((await node.api.call(updateQueue, hold, callContext())).queue?.onDead).toBe(OnDead.HOLD);
    const pause = create(PauseQueueRequestSchema, { name: 'q' });
    expect((await node.api.call(pauseQueue, pause, callContext())).queue).toMatchObject({
      paused: true,
      onDead: OnDead.HOLD,
    });
    const resume = create(ResumeQueueRequestSchema, { name: 'q' });
    expect((await node.api.call(resumeQueue, resume, callContext())).queue?.paused).toBe(false);
    const reader = callContext({ ...anyone, verbs: ['read'] });
    for (const [method, request] of [
      [updateQueue, hold],
      [pauseQueue, pause],
      [resumeQueue, resume],
    ] as const) {
      expect((await rejectionOf(node.api.call(method, request as never, reader))).reason).toBe('DENIED');
    }
  });

  it('that do not exist are refused with QUEUE_UNKNOWN', async () => {
    const { api } = await apiNode();
    const error = await rejectionOf(
      api.call(getQueue, create(GetQueueRequestSchema, { name: 'nope' }), callContext()),
    );
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
  });

  it('that do not exist are changed only with `create`', async () => {
    const { api } = await apiNode();
    const calls = [
      (name: string, create: boolean) => [updateQueue, { name, create, onDead: OnDead.HOLD }] as const,
      (name: string, create: boolean) => [pauseQueue, { name, create }] as const,
      (name: string, create: boolean) => [resumeQueue, { name, create }] as const,
    ];
    for (const [i, request] of calls.entries()) {
      const send = ([method, message]: ReturnType<typeof request>) =>
        api.call(method, create(method.input, message) as never, callContext()) as Promise<{
          queue?: unknown;
        }>;
      const name = `queue-${i}`;
      expect(await rejectionOf(send(request(name, false)))).toMatchObject({ reason: 'QUEUE_UNKNOWN' });
      const { queues } = await api.call(listQueues, create(ListQueuesRequestSchema), callContext());
      expect(queues).toHaveLength(i);
      expect((await send(request(name, true))).queue).toMatchObject({ name });
    }
  });

  it('are listed only if the identity may use them', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'));
    await node.api.submit({ tenant: '', queue: 'mail', items: [item('a')] }, callContext());
    const names = async (queues: string[]) => {
      const call = node.api.call(
        listQueues,
        create(ListQueuesRequestSchema),
        callContext({ ...anyone, queues }),
      );
      return (await call).queues.map((queue) => queue.name).sort();
    };
    expect(await names([])).toEqual(['mail', 'q']);
    expect(await names(['mail'])).toEqual(['mail']);
  });
});

describe('workers', () => {
  it('are listed while their stream is open, with the numbers of tasks that they hold and have not begun', async () => {
    const node = await apiNode();
    const { api, clock } = node;
    const list = async () =>
      (await api.call(listWorkers, create(ListWorkersRequestSchema, { queue: 'q' }), callContext())).workers;
    const worker = api.work(new RecordingStream<WorkResponse>(), callContext());
    const types = [{ type: 'note', maxVersion: 2 }];
    worker.message({
      kind: 'hello',
      tenant: '',
      workerName: 'w',
      workerId: 'i',
      queues: ['q'],
      types,
      tasks: 1,
      bytes: 1_000,
      reportsBegun: true,
    });
    expect(await list()).toMatchObject([{ name: 'w', id: 'i', queues: ['q'], types: ['note'], inFlight: 0 }]);
    await submitItems(node, item('a'));
    await clock.settle();
    expect(await list()).toMatchObject([{ inFlight: 1, reserved: 1 }]);
    worker.message({ kind: 'received', seq: 1, begun: [1], attempts: [], kept: [] });
    expect(await list()).toMatchObject([{ inFlight: 1, reserved: 0 }]);
    worker.closed(undefined);
    expect(await list()).toEqual([]);
  });

  it('are listed with only the queues that the caller may use, and not at all if the caller may use none of them', async () => {
    const { api } = await apiNode();
    const list = async (queues: readonly string[]) => {
      const request = create(ListWorkersRequestSchema, {});
      return (await api.call(listWorkers, request, callContext({ ...anyone, queues }))).workers;
    };
    const hello = { tenant: '', workerName: 'w', workerId: 'i', tasks: 1, bytes: 1, reportsBegun: true };
    const types = [{ type: 'note', maxVersion: 1 }];
    const worker = api.work(new RecordingStream<WorkResponse>(), callContext());
    worker.message({ kind: 'hello', ...hello, queues: ['q', 'secret'], types });
    expect(await list(['q', 'mail'])).toMatchObject([{ name: 'w', queues: ['q'] }]);
    expect(await list([])).toMatchObject([{ name: 'w', queues: ['q', 'secret'] }]);
    expect(await list(['mail'])).toEqual([]);
    worker.closed(undefined);
  });

  it('of another node are listed with their node, their type versions and only the queues that the caller may use; after the first 50 they are only counted', async () => {
    const clock = virtualClock();
    const engine = externalMemory({ clock });
    const begin = (node: string) =>
      createService({ ...engine, node, clock, log: silentLog, createQueues: true });
    const [server, other] = [await begin('server'), await begin('other')];
    startRuntime(other, { takesPart: false });
    const hello = {
      tenant: 'default',
      workerName: 'w',
      workerId: 'i',
      tasks: 1,
      bytes: 1,
      reportsBegun: true,
    };
    const types = [{ type: 'note', maxVersion: 3 }];
    const sink = { assign() {}, cancel() {}, drain() {} };
    other.service.openSession({ ...hello, queues: ['q', 'secret'], types }, sink);
    await clock.advance(5_000);
    const api = createApi({ service: server.service, clock, log: silentLog, node: 'server' });
    const list = (caller: Partial<typeof anyone>) =>
      api.call(listWorkers, create(ListWorkersRequestSchema, {}), callContext({ ...anyone, ...caller }));
    const all = { name: 'w', node: 'other', types: ['note'], maxVersions: [3], unlistedCount: 0 };
    expect(await list({})).toMatchObject({
      incomplete: false,
      workers: [{ ...all, queues: ['q', 'secret'] }],
    });
    expect((await list({ queues: ['q'] })).workers).toMatchObject([{ ...all, queues: ['q'] }]);
    expect((await list({ queues: ['mail'] })).workers).toEqual([]);
    expect((await list({ tenants: ['acme'] })).workers).toEqual([]);
    expect((await rejectionOf(list({ verbs: ['submit'] }))).reason).toBe('DENIED');
    for (let i = 1; i < 60; i++)
      other.service.openSession({ ...hello, workerName: `w-${i}`, queues: ['q', 'secret'], types }, sink);
    await clock.advance(5_000);
    const { workers, incomplete } = await list({ queues: ['q'] });
    expect(workers).toHaveLength(51);
    expect(workers?.at(-1)).toMatchObject({ ...all, name: '', queues: ['q'], unlistedCount: 10 });
    expect(incomplete).toBe(false);
  });
});

it('the queues are listed without their counts if the caller asks so', async () => {
  const node = await apiNode();
  await submitItems(node, item('a'));
  const list = (withoutCounts: boolean) =>
    node.api.call(listQueues, create(ListQueuesRequestSchema, { withoutCounts }), callContext());
  expect((await list(true)).queues).toMatchObject([{ name: 'q', paused: false }]);
  expect((await list(true)).queues?.[0]?.counts).toBeUndefined();
  expect((await list(false)).queues?.[0]?.counts).toMatchObject({ ready: 1n });
});

it('a pause has its reason, its end and who made it; an end in the past or too far ahead is refused', async () => {
  const node = await apiNode();
  await submitItems(node, item('a'));
  const pause = (reason: string, untilMs: number) =>
    node.api.call(
      pauseQueue,
      create(PauseQueueRequestSchema, { name: 'q', reason, untilMs: BigInt(untilMs) }),
      callContext(),
    );
  const nowMs = Date.now();
  for (const untilMs of [1, nowMs + 400 * 86_400_000, Number.MAX_SAFE_INTEGER]) {
    expect((await rejectionOf(pause('', untilMs))).violations).toMatchObject([{ field: 'until_ms' }]);
  }
  expect((await rejectionOf(pause('x'.repeat(1_025), 0))).violations).toMatchObject([{ field: 'reason' }]);
  const { queue } = await pause('a migration', nowMs + 60_000);
  expect(queue?.pause).toMatchObject({ reason: 'a migration', untilMs: BigInt(nowMs + 60_000) });
  expect(queue?.pause?.actor).not.toBe('');
});
