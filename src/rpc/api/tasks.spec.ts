import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  anyone,
  apiNode,
  calledBy,
  item,
  noOptions,
  refusal,
  specOf,
  submitted,
} from '../../../test/fixtures/api-node.ts';
import { EventKind, TaskState } from '../gen/holdfast/v1/task_pb.ts';
import {
  CancelTaskRequestSchema,
  GetTaskByKeyRequestSchema,
  GetTaskHistoryRequestSchema,
  GetTaskRequestSchema,
  ListTasksRequestSchema,
  RedriveTasksRequestSchema,
  RetryTaskRequestSchema,
  SubmitTasksRequestSchema,
  TaskService,
  VerifyTaskHistoryRequestSchema,
} from '../gen/holdfast/v1/task_service_pb.ts';

const { getTask, getTaskByKey, listTasks, getTaskHistory, verifyTaskHistory } = TaskService.method;
const { cancelTask, retryTask, redriveTasks, submitTasks } = TaskService.method;

async function withTask(more: Parameters<typeof item>[1] = {}) {
  const node = await apiNode();
  const [task] = await submitted(node, item('k', more));
  return { ...node, id: task?.id ?? '' };
}

describe('GetTask', () => {
  it('shows the task as it stands, its payload only where asked for', async () => {
    const { api, id } = await withTask({ spec: specOf('{"a":1}', 'note', 'lane') });
    const plain = await api.call(getTask, create(GetTaskRequestSchema, { id }), calledBy());
    expect(plain.task).toMatchObject({
      id,
      tenant: 'default',
      state: TaskState.READY,
      revision: 1,
      maxAttempts: 5,
      spec: { type: 'note', typeVersion: 1, orderingKey: 'lane' },
    });
    expect(plain.task?.spec?.payload).toBeUndefined();
    const full = await api.call(getTask, create(GetTaskRequestSchema, { id, withPayload: true }), calledBy());
    expect(new TextDecoder().decode(full.task?.spec?.payload?.bytes)).toBe('{"a":1}');
  });

  it('finds no task of another tenant', async () => {
    const { api, id } = await withTask();
    const error = await refusal(
      api.call(getTask, create(GetTaskRequestSchema, { id, tenant: 'x' }), calledBy()),
    );
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' });
  });

  it('by key finds the newest', async () => {
    const { api, id } = await withTask();
    const request = create(GetTaskByKeyRequestSchema, { queue: 'q', idempotencyKey: 'k' });
    expect((await api.call(getTaskByKey, request, calledBy())).task?.id).toBe(id);
  });
});

describe('an identity that is held to certain queues', () => {
  it('sees and changes no task in others, and is not told whether there is one', async () => {
    const { api, id } = await withTask();
    const held = calledBy({ ...anyone, queues: ['mail'] });
    const byId = (named: string) => [
      api.call(getTask, create(GetTaskRequestSchema, { id: named }), held),
      api.call(getTaskHistory, create(GetTaskHistoryRequestSchema, { id: named }), held),
      api.call(cancelTask, create(CancelTaskRequestSchema, { id: named }), held),
      api.call(retryTask, create(RetryTaskRequestSchema, { id: named }), held),
    ];
    const told = async (named: string) => {
      const errors = await Promise.all(byId(named).map(refusal));
      return errors.map(({ code, reason, message, help }) => [
        code,
        reason,
        message.replace(named, 'id'),
        help,
      ]);
    };
    expect(await told(id)).toEqual(await told('nope'));
    for (const call of byId(id)) expect((await refusal(call)).reason).toBe('TASK_NOT_FOUND');
    const byQueue = [
      api.call(getTaskByKey, create(GetTaskByKeyRequestSchema, { queue: 'q', idempotencyKey: 'k' }), held),
      api.call(listTasks, create(ListTasksRequestSchema, { queue: 'q' }), held),
      api.call(redriveTasks, create(RedriveTasksRequestSchema, { queue: 'q' }), held),
    ];
    for (const call of byQueue) expect((await refusal(call)).reason).toBe('DENIED');
    const after = await api.call(getTask, create(GetTaskRequestSchema, { id }), calledBy());
    expect(after.task?.state).toBe(TaskState.READY);
  });
});

describe('ListTasks', () => {
  it('goes through its pages, newest first', async () => {
    const node = await apiNode();
    await submitted(node, item('a'), item('b'), item('c'));
    const seen: string[] = [];
    let cursor = '';
    do {
      const request = create(ListTasksRequestSchema, { queue: 'q', pageSize: 2, cursor });
      const page = await node.api.call(listTasks, request, calledBy());
      seen.push(...page.tasks.map((task) => task.idempotencyKey));
      cursor = page.cursor;
    } while (cursor !== '');
    expect(seen).toEqual(['c', 'b', 'a']);
  });

  it('filters by state, type and tag', async () => {
    const node = await apiNode();
    const scheduled = { options: { ...noOptions, delayMs: 5_000, tags: ['eu'] } };
    await submitted(node, item('a'), item('b', scheduled), item('c', { spec: specOf('1', 'other') }));
    const keys = async (filter: object) => {
      const request = create(ListTasksRequestSchema, { queue: 'q', ...filter });
      return (await node.api.call(listTasks, request, calledBy())).tasks.map((task) => task.idempotencyKey);
    };
    expect(await keys({ state: TaskState.SCHEDULED })).toEqual(['b']);
    expect(await keys({ tag: 'eu' })).toEqual(['b']);
    expect(await keys({ type: 'other' })).toEqual(['c']);
    expect(await keys({ state: TaskState.DEAD })).toEqual([]);
  });
});

describe('cancel, history and retry', () => {
  it('tell who asked and why, and only the dead are retried', async () => {
    const { api, id } = await withTask();
    const by = calledBy({ ...anyone, name: 'spiffe://x/ops' });
    const { task } = await api.call(
      cancelTask,
      create(CancelTaskRequestSchema, { id, reason: 'no more' }),
      by,
    );
    expect(task?.state).toBe(TaskState.CANCELLED);
    const { events } = await api.call(
      getTaskHistory,
      create(GetTaskHistoryRequestSchema, { id }),
      calledBy(),
    );
    expect(events.map((e) => e.kind)).toEqual([EventKind.SUBMITTED, EventKind.CANCELLED]);
    expect(events[1]).toMatchObject({ actor: 'spiffe://x/ops', message: 'no more', schema: 1 });
    const later = create(GetTaskHistoryRequestSchema, { id, fromVersion: 1 });
    expect((await api.call(getTaskHistory, later, calledBy())).events).toHaveLength(1);
    const retried = await refusal(api.call(retryTask, create(RetryTaskRequestSchema, { id }), by));
    expect(retried).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NOT_DEAD', taskId: id });
  });

  it('are not begun past the deadline', async () => {
    const { api, clock, id } = await withTask();
    const late = calledBy(anyone, { notAfterMs: clock.now() - 1 });
    const error = await refusal(api.call(cancelTask, create(CancelTaskRequestSchema, { id }), late));
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    const { task } = await api.call(getTask, create(GetTaskRequestSchema, { id }), calledBy());
    expect(task?.state).toBe(TaskState.READY);
  });
});

describe('VerifyTaskHistory', () => {
  it('says so where the store keeps no chain, which is neither whole nor changed', async () => {
    const { api, id } = await withTask();
    const request = create(VerifyTaskHistoryRequestSchema, { id });
    expect(await refusal(api.call(verifyTaskHistory, request, calledBy()))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'NOT_BUILT',
      message: expect.stringContaining('keeps no chain'),
    });
  });

  it('is for readers', async () => {
    const { api, id } = await withTask();
    const request = create(VerifyTaskHistoryRequestSchema, { id });
    const submitter = calledBy({ ...anyone, verbs: ['submit'] });
    expect((await refusal(api.call(verifyTaskHistory, request, submitter))).reason).toBe('DENIED');
  });
});

describe('SubmitTasks of the generated messages', () => {
  it('goes the same way as the hot one', async () => {
    const { api } = await apiNode();
    const good = {
      idempotencyKey: 'k',
      spec: { type: 't', payload: { bytes: new TextEncoder().encode('1') } },
    };
    const request = create(SubmitTasksRequestSchema, { queue: 'q', items: [good, {}, good] });
    const { results } = await api.call(submitTasks, request, calledBy());
    expect(results[0]).toMatchObject({ deduplicated: false, state: TaskState.READY, version: 1 });
    expect(results[1]?.error).toMatchObject({
      code: 3,
      reason: 'BAD_FIELD',
      violations: [{ field: 'items[1].spec.type' }],
    });
    expect(results[2]).toMatchObject({ id: results[0]?.id, deduplicated: true });
  });
});

describe('an unexpected error', () => {
  it('is answered as a defect', async () => {
    const { api } = await apiNode((service) => ({
      ...service,
      get: () => Promise.reject(new TypeError('oops')),
    }));
    const error = await refusal(api.call(getTask, create(GetTaskRequestSchema, { id: 'x' }), calledBy()));
    expect(error).toMatchObject({ code: 'INTERNAL', reason: 'BUG' });
  });
});
