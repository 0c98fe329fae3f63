import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  callContext,
  item,
  noOptions,
  rejectionOf,
  submitItems,
} from '../../../../test/fixtures/api-node.ts';
import { limits } from '../../../core/limits.ts';
import { EventKind, TaskState } from '../../gen/holdfast/v1/task_pb.ts';
import {
  WatchTaskRequestSchema,
  WatchTasksRequestSchema,
  type WatchTasksResponse,
} from '../../gen/holdfast/v1/task_service_pb.ts';
import { watchTask } from './watch.ts';

/** Opens a WatchTasks stream and collects its updates. */
function follow(node: ApiNode, tasks: { id: string; fromVersion?: number }[], context = callContext()) {
  const updates: WatchTasksResponse[] = [];
  const request = create(WatchTasksRequestSchema, { tasks });
  const done = (async () => {
    for await (const update of node.api.watch(request, context)) updates.push(update);
  })();
  done.catch(() => {});
  const kinds = () => updates.map((u) => u.update?.update.case ?? 'error');
  return { updates, done, kinds };
}

async function nodeWithThreeTasks() {
  const node = await apiNode();
  const ids = (await submitItems(node, item('a'), item('b'), item('c'))).map((task) => task.id);
  return { node, ids };
}
const cancel = (node: ApiNode, id: string) => node.service.cancel('default', id, { actor: 'x', message: '' });

describe('WatchTasks', () => {
  it('streams past and new events of each task, and ends when all tasks have ended', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    const watch = follow(
      node,
      ids.map((id) => ({ id })),
    );
    await node.clock.settle();
    expect(watch.kinds()).toEqual(['event', 'event', 'event']);
    for (const id of ids) await cancel(node, id);
    await watch.done;
    const last = watch.updates.filter((u) => u.id === ids[1]).map((u) => u.update?.update.value);
    expect(last).toMatchObject([
      { version: 1, state: TaskState.READY, event: { kind: EventKind.SUBMITTED } },
      { version: 2, state: TaskState.CANCELLED, event: { kind: EventKind.CANCELLED } },
    ]);
    expect(node.api.openStreams).toBe(0);
  });

  it('begins with the event after the version that the request names', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    await cancel(node, ids[0] as string);
    const watch = follow(node, [{ id: ids[0] as string, fromVersion: 1 }]);
    await watch.done;
    expect(watch.updates.map((u) => u.update?.update.value)).toMatchObject([{ version: 2 }]);
  });

  it('names a task that cannot be watched, and watches the others', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    await cancel(node, ids[0] as string);
    const watch = follow(node, [{ id: 'nope' }, { id: ids[0] as string }]);
    await watch.done;
    expect(watch.updates.filter((u) => u.id === 'nope')).toMatchObject([
      { error: { code: 5, reason: 'TASK_NOT_FOUND' } },
    ]);
    expect(watch.updates.filter((u) => u.id === ids[0])).toHaveLength(2);
  });

  it('finds no task of a queue that the identity may not use', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    const watch = follow(node, [{ id: ids[0] as string }], callContext({ ...anyone, queues: ['mail'] }));
    await watch.done;
    expect(watch.updates).toMatchObject([{ error: { reason: 'TASK_NOT_FOUND' } }]);
  });

  it('needs permission for the verb read, and valid fields', async () => {
    const { node } = await nodeWithThreeTasks();
    const denied = follow(node, [{ id: 'x' }], callContext({ ...anyone, verbs: ['work'] }));
    expect((await rejectionOf(denied.done)).reason).toBe('DENIED');
    expect((await rejectionOf(follow(node, []).done)).message).toBe('tasks: has 0 tasks; at least 1');
  });

  it('sends a keep-alive every 20 s, and ends after 240 s ± 10 % with the message drain', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    const watch = follow(node, [{ id: ids[0] as string }]);
    await node.clock.advance(41_000);
    expect(watch.kinds()).toEqual(['event', 'keepAlive', 'keepAlive']);
    await node.clock.advance(174_000);
    expect(watch.kinds()).not.toContain('drain');
    await node.clock.advance(50_000);
    await watch.done;
    expect(watch.kinds().at(-1)).toBe('drain');
    expect(node.clock.pending).toBe(0);
  });

  it('ends at once with the message drain when the node begins to drain', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    const watch = follow(node, [{ id: ids[0] as string }]);
    await node.clock.settle();
    node.api.drain();
    await watch.done;
    expect(watch.kinds()).toEqual(['event', 'drain']);
    expect((await rejectionOf(follow(node, [{ id: ids[0] as string }]).done)).reason).toBe('DRAINING');
  });

  it('is refused beyond the tasks that one identity may watch, and not for other identities', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    const tasks = Array.from({ length: limits.watchedTasks }, () => ({ id: ids[0] as string }));
    const most = limits.watchesPerIdentity / limits.watchedTasks;
    const watches = Array.from({ length: most }, () => follow(node, tasks));
    await node.clock.settle();
    const error = await rejectionOf(follow(node, [{ id: ids[0] as string }]).done);
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED' });
    expect(node.api.openStreams).toBe(most);
    const other = follow(node, [{ id: ids[0] as string }], callContext({ ...anyone, name: 'other' }));
    await node.clock.settle();
    expect(other.kinds()).toEqual(['event']);
    await cancel(node, ids[0] as string);
    await Promise.all(watches.map(({ done }) => done));
    await follow(node, [{ id: ids[0] as string }]).done;
  });

  it('ends when its caller has gone', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    const gone = new AbortController();
    const watch = follow(
      node,
      ids.map((id) => ({ id })),
      callContext(anyone, { signal: gone.signal }),
    );
    await node.clock.settle();
    gone.abort();
    await watch.done;
    expect(node.api.openStreams).toBe(0);
    expect(node.clock.pending).toBe(0);
  });

  it('reads updates no faster than its client reads the stream', async () => {
    const node = await apiNode();
    let read = 0;
    const slow = await apiNode((service) => ({
      ...service,
      watchTasks: () => ({
        count: 1,
        add() {},
        take: () => ({
          id: 'x',
          update: { kind: 'progress', progress: { fraction: 0, note: String(++read) } },
        }),
        close() {},
      }),
    }));
    const updates = slow.api.watch(create(WatchTasksRequestSchema, { tasks: [{ id: 'x' }] }), callContext());
    const reader = updates[Symbol.asyncIterator]();
    await reader.next();
    await slow.clock.settle();
    expect(read).toBeLessThanOrEqual(2);
    await reader.return?.();
    expect(node.api.openStreams + slow.api.openStreams).toBe(0);
  });
});

describe('WatchTask', () => {
  const one = (id: string) => create(WatchTaskRequestSchema, { id });

  it('streams the events of one task', async () => {
    const { node, ids } = await nodeWithThreeTasks();
    await cancel(node, ids[0] as string);
    const cases: unknown[] = [];
    for await (const { update } of watchTask(node.api, one(ids[0] as string), callContext()))
      cases.push(update.case);
    expect(cases).toEqual(['event', 'event']);
  });

  it('fails if the task cannot be watched', async () => {
    const { node } = await nodeWithThreeTasks();
    const error = await rejectionOf(watchTask(node.api, one('nope'), callContext()).next());
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND', taskId: 'nope' });
  });
});

describe('a watched task', () => {
  it('with a delay is shown as scheduled from its first event', async () => {
    const node = await apiNode();
    const [task] = await submitItems(node, item('later', { options: { ...noOptions, delayMs: 60_000 } }));
    const watch = follow(node, [{ id: task?.id ?? '' }]);
    await node.clock.settle();
    expect(watch.updates.map((u) => u.update?.update.value)).toMatchObject([{ state: TaskState.SCHEDULED }]);
    await cancel(node, task?.id ?? '');
    await watch.done;
  });
});
