import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { anyone, apiNode, ensureAccepted, item, rejectionOf } from '../../test/fixtures/api-node.ts';
import type { HoldfastError } from '../core/errors.ts';
import type { ReportResponse, WorkResponse } from '../core/messages.ts';
import { TaskState } from '../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService, WatchTasksRequestSchema } from '../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { Service } from '../service/service.ts';
import { inProcess } from './in-process.ts';

async function connected(wrap?: (service: Service) => Service) {
  const node = await apiNode(wrap);
  return { ...node, transport: inProcess({ api: node.api, clock: node.clock }) };
}

class Events<M> {
  readonly messages: M[] = [];
  readonly ends: (HoldfastError | undefined)[] = [];
  message(message: M): void {
    this.messages.push(message);
  }
  end(error: HoldfastError | undefined): void {
    this.ends.push(error);
  }
}

const hello = {
  kind: 'hello',
  tenant: '',
  workerName: 'w',
  workerId: 'i',
  queues: ['q'],
  types: [{ type: 'note', maxVersion: 1 }],
  tasks: 5,
  bytes: 1_000_000,
  reportsBegun: true,
} as const;

describe('the in-process transport', () => {
  it('carries a task from its submission to its result', async () => {
    const { transport, clock } = await connected();
    const { results } = await transport.submit({ tenant: '', queue: 'q', items: [item('k')] }, {});
    const { id } = ensureAccepted(results[0]);
    const work = new Events<WorkResponse>();
    const worker = transport.work(work);
    worker.send(hello);
    await clock.settle();
    const assigned = work.messages.flatMap((m) => (m.kind === 'assignments' ? m.tasks : []));
    expect(assigned.map((task) => task.id)).toEqual([id]);
    const responses = new Events<ReportResponse>();
    const reporter = transport.report(responses);
    reporter.send({ kind: 'hello', sessionId: '', workerId: 'i', tenant: '' });
    const settled = {
      outcome: 'succeeded',
      result: undefined,
      message: '',
      errorType: '',
      afterMs: undefined,
      begun: false,
    } as const;
    reporter.send({
      kind: 'settlements',
      batch: 1,
      items: assigned.map(({ lease }) => ({ lease, ...settled })),
    });
    reporter.end();
    worker.end();
    await clock.settle();
    expect(responses.messages).toMatchObject([{ kind: 'settled', results: [{ state: 'succeeded' }] }]);
    expect([responses.ends, work.ends]).toEqual([[undefined], [undefined]]);
    const { task } = await transport.call(TaskService.method.getTask, { id }, {});
    expect(task?.state).toBe(TaskState.SUCCEEDED);
  });

  it('delivers no message before the call that causes the message has returned', async () => {
    const { transport } = await connected();
    const work = new Events<WorkResponse>();
    transport.work(work).send(hello);
    expect(work.messages).toEqual([]);
    await Promise.resolve();
    await Promise.resolve();
    expect(work.messages).toMatchObject([{ kind: 'welcome' }]);
  });

  it('rejects a call whose timeout is over', async () => {
    const { transport, clock } = await connected((service) => ({
      ...service,
      get: () => new Promise<never>(() => {}),
    }));
    const call = rejectionOf(transport.call(TaskService.method.getTask, { id: 'x' }, { timeoutMs: 500 }));
    await clock.advance(500);
    expect(await call).toMatchObject({ code: 'DEADLINE_EXCEEDED', reason: 'TIMED_OUT' });
  });

  it('rejects a call that its caller aborts, and cancels its timer', async () => {
    const { transport, clock } = await connected((service) => ({
      ...service,
      get: () => new Promise<never>(() => {}),
    }));
    const controller = new AbortController();
    const call = rejectionOf(
      transport.call(TaskService.method.getTask, { id: 'x' }, { timeoutMs: 500, signal: controller.signal }),
    );
    controller.abort();
    expect(await call).toMatchObject({ code: 'CANCELLED', reason: 'ABANDONED' });
    expect(clock.pending).toBe(0);
  });

  it('calls the API with the identity that it was created with', async () => {
    const { api, clock } = await connected();
    const transport = inProcess({ api, clock, identity: { ...anyone, name: 'bob', verbs: ['read'] } });
    const error = await rejectionOf(transport.submit({ tenant: '', queue: 'q', items: [item('k')] }, {}));
    expect(error.message).toBe("'bob' may not submit (its verbs: read).");
  });

  it('ends a watch of tasks when the caller leaves the loop over the updates or aborts the call', async () => {
    const { transport, api, clock } = await connected();
    const { results } = await transport.submit({ tenant: '', queue: 'q', items: [item('k')] }, {});
    const request = create(WatchTasksRequestSchema, { tasks: [{ id: ensureAccepted(results[0]).id }] });
    for await (const update of transport.watch(request, {})) {
      expect(update.update?.update.case).toBe('event');
      break;
    }
    await clock.settle();
    expect(api.openStreams).toBe(0);
    const controller = new AbortController();
    const watch = transport.watch(request, { signal: controller.signal })[Symbol.asyncIterator]();
    await watch.next();
    const next = rejectionOf(watch.next());
    controller.abort();
    expect(await next).toMatchObject({ code: 'CANCELLED' });
    await clock.settle();
    expect(api.openStreams).toBe(0);
  });

  it('ends a stream for the client and for the server when the stream is aborted or the transport is closed', async () => {
    const { transport, service, clock } = await connected();
    const [one, two] = [new Events<WorkResponse>(), new Events<WorkResponse>()];
    const first = transport.work(one);
    first.send(hello);
    transport.work(two).send({ ...hello, workerId: 'other' });
    await clock.settle();
    first.abort();
    await clock.settle();
    expect(one.ends).toMatchObject([{ code: 'CANCELLED' }]);
    const workers = async () => (await service.workers('default', undefined)).workers;
    expect(await workers()).toHaveLength(1);
    await transport.close();
    await clock.settle();
    expect(two.ends).toHaveLength(1);
    expect(await workers()).toEqual([]);
  });

  it('reports to the client once why the server ended a stream, after the last message', async () => {
    const { transport, clock } = await connected();
    const work = new Events<WorkResponse>();
    const worker = transport.work(work);
    worker.send({ kind: 'credit', tasks: 1, bytes: 1, types: [] });
    worker.send(hello);
    worker.end();
    await clock.settle();
    expect(work.ends).toMatchObject([{ reason: 'BAD_SEQUENCE' }]);
    expect(work.messages).toEqual([]);
  });
});
