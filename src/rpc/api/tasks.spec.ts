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
  specOf,
  submitItems,
} from '../../../test/fixtures/api-node.ts';
import { verdictCodes } from '../../core/explain/verdict.ts';
import { limits } from '../../core/limits.ts';
import type { Service } from '../../service/service.ts';
import { EventKind, TaskState, TaskView } from '../gen/holdfast/v1/task_pb.ts';
import {
  CancelTaskRequestSchema,
  ExplainTaskRequestSchema,
  GetTaskByKeyRequestSchema,
  GetTaskHistoryRequestSchema,
  GetTaskRequestSchema,
  ListTasksRequestSchema,
  ListTroubleRequestSchema,
  RedriveTaskRequestSchema,
  RedriveTasksRequestSchema,
  SubmitTasksRequestSchema,
  TaskService,
  VerdictCode,
  VerifyTaskHistoryRequestSchema,
} from '../gen/holdfast/v1/task_service_pb.ts';

const { getTask, getTaskByKey, listTasks, getTaskHistory, verifyTaskHistory } = TaskService.method;
const { explainTask, listTrouble, cancelTask, redriveTask, redriveTasks, submitTasks } = TaskService.method;

async function withTask(more: Parameters<typeof item>[1] = {}) {
  const node = await apiNode();
  const [task] = await submitItems(node, item('k', more));
  return { ...node, id: task?.id ?? '' };
}

describe('reading a task', () => {
  it('returns the task, with its payload only on request', async () => {
    const { api, id } = await withTask({ spec: specOf('{"a":1}', 'note', 'lane') });
    const plain = await api.call(getTask, create(GetTaskRequestSchema, { id }), callContext());
    expect(plain.task).toMatchObject({
      id,
      tenant: 'default',
      state: TaskState.READY,
      revision: 1,
      maxAttempts: 5,
      spec: { type: 'note', typeVersion: 1, orderingKey: 'lane' },
    });
    expect(plain.task?.spec?.payload).toBeUndefined();
    const full = await api.call(
      getTask,
      create(GetTaskRequestSchema, { id, view: TaskView.FULL }),
      callContext(),
    );
    expect(new TextDecoder().decode(full.task?.spec?.payload?.bytes)).toBe('{"a":1}');
  });

  it('finds no task of another tenant', async () => {
    const { api, id } = await withTask();
    const error = await rejectionOf(
      api.call(getTask, create(GetTaskRequestSchema, { id, tenant: 'x' }), callContext()),
    );
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' });
  });

  it('by its idempotency key returns the same task as reading by id', async () => {
    const { api, id } = await withTask();
    const request = create(GetTaskByKeyRequestSchema, { queue: 'q', idempotencyKey: 'k' });
    expect((await api.call(getTaskByKey, request, callContext())).task?.id).toBe(id);
  });
});

describe('the explanation of a task', () => {
  it('names the cause with its evidence and the task, by id and by key', async () => {
    const { api, id, clock } = await withTask();
    const requests = [{ id }, { queue: 'q', idempotencyKey: 'k' }];
    for (const request of requests) {
      const answer = await api.call(explainTask, create(ExplainTaskRequestSchema, request), callContext());
      expect(answer).toMatchObject({
        task: { id, state: TaskState.READY, idempotencyKey: 'k' },
        verdict: {
          code: VerdictCode.NO_WORKER,
          sentence: "No worker takes tasks of the queue 'q'.",
          evidence: { queue: 'q' },
          nextCommand: 'holdfast workers --queue q',
        },
        atMs: BigInt(clock.now()),
      });
    }
  });

  it('has a next command for the tenant that the caller has named, which may have a queue of the same name', async () => {
    const { api, service, clock } = await apiNode();
    const acme = { tenant: 'acme', queue: 'q' };
    await service.submit(acme, [item('k')], { notAfterMs: undefined });
    await service.updateQueue(acme, { paused: true }, 'alice');
    await clock.settle();
    const request = create(ExplainTaskRequestSchema, { tenant: 'acme', queue: 'q', idempotencyKey: 'k' });
    const { verdict } = await api.call(explainTask, request, callContext());
    const all = await api.call(
      listTrouble,
      create(ListTroubleRequestSchema, { tenant: 'acme' }),
      callContext(),
    );
    const next = 'holdfast queues resume q --tenant acme';
    expect([verdict?.nextCommand, ...all.groups.map(({ nextCommand }) => nextCommand)]).toEqual([next, next]);
  });

  it('is TASK_NOT_FOUND for a task of another tenant, and for none, with the advice that it may be deleted', async () => {
    const { api, id } = await withTask();
    const answers = [{ id, tenant: 'x' }, { id: '1-none' }, { queue: 'q', idempotencyKey: 'none' }];
    for (const request of answers) {
      const error = await rejectionOf(
        api.call(explainTask, create(ExplainTaskRequestSchema, request), callContext()),
      );
      expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' });
      expect(error.help).toContain('Tasks are deleted after their retention');
    }
    const noId = api.call(explainTask, create(ExplainTaskRequestSchema, { id: 'nope' }), callContext());
    expect((await rejectionOf(noId)).message).toBe("'nope' is no task id, so there is no such task.");
  });

  it('has the number of each code in the schema', () => {
    const numbers = verdictCodes.map(
      (code) => VerdictCode[(code ?? 'UNSPECIFIED') as keyof typeof VerdictCode],
    );
    expect(numbers).toEqual(verdictCodes.map((_, i) => i));
    expect(Object.keys(VerdictCode).filter((name) => Number.isNaN(Number(name)))).toHaveLength(
      numbers.length,
    );
  });
});

describe('the list of trouble', () => {
  const groupsOf = async (node: ApiNode, request: { queue?: string; tenant?: string }, identity = anyone) => {
    const message = create(ListTroubleRequestSchema, request);
    const answer = await node.api.call(listTrouble, message, callContext(identity));
    return answer.groups.map(({ code, queue, count, oldestIds }) => ({ code, queue, count, oldestIds }));
  };

  it('has the tasks of all queues that the identity may read, and of no other queue and tenant', async () => {
    const node = await withTask();
    await node.service.updateQueue(
      { tenant: 'default', queue: 'mail' },
      { paused: true, create: true },
      'alice',
    );
    const waiting = { code: VerdictCode.NO_WORKER, queue: 'q', count: 1, oldestIds: [node.id] };
    const paused = { code: VerdictCode.QUEUE_PAUSED, queue: 'mail', count: 0, oldestIds: [] };
    expect(await groupsOf(node, {})).toEqual([waiting, paused]);
    expect(await groupsOf(node, { queue: 'q' })).toEqual([waiting]);
    expect(await groupsOf(node, { tenant: 'acme' })).toEqual([]);
    const ofMail = { ...anyone, queues: ['mail'] };
    expect(await groupsOf(node, {}, ofMail)).toEqual([paused]);
    expect(await rejectionOf(groupsOf(node, { queue: 'q' }, ofMail))).toMatchObject({ reason: 'DENIED' });
    expect(await rejectionOf(groupsOf(node, { queue: 'none' }))).toMatchObject({ reason: 'QUEUE_UNKNOWN' });
    expect(await rejectionOf(groupsOf(node, { queue: 'no name' }))).toMatchObject({ reason: 'BAD_FIELD' });
  });

  it('is refused beyond the calls of one identity, and of the node, that may be in progress', async () => {
    const answers: (() => void)[] = [];
    const slowly = (service: Service): Service => ({
      ...service,
      async trouble(request) {
        await new Promise<void>((resolve) => answers.push(resolve));
        return service.trouble(request);
      },
    });
    const node = await apiNode(slowly);
    const { troubleCalls, troubleCallsPerIdentity } = limits;
    const named = (name: string) => ({ ...anyone, name });
    const names = Array.from({ length: troubleCalls / troubleCallsPerIdentity }, (_, i) => `n${i}`);
    const running = names.flatMap((name) =>
      Array.from({ length: troubleCallsPerIdentity }, () => groupsOf(node, {}, named(name))),
    );
    await node.clock.settle();
    expect(await rejectionOf(groupsOf(node, {}, named('n0')))).toMatchObject({
      ...{ code: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED', retryable: true, retryAfterMs: 5_000 },
      message: "'n0' has 2 ListTrouble calls in progress on this node, and may have 2.",
    });
    expect(await rejectionOf(groupsOf(node, {}, named('other')))).toMatchObject({
      message: 'This node has 8 ListTrouble calls in progress, and may have 8.',
    });
    for (const answer of answers.splice(0)) answer();
    for (const groups of await Promise.all(running)) expect(groups).toEqual([]);
    const again = groupsOf(node, {}, named('n0'));
    await node.clock.settle();
    for (const answer of answers) answer();
    expect(await again).toEqual([]);
  });

  it('says since when, by whom, with which evidence and which command goes on', async () => {
    const node = await apiNode();
    const queue = { tenant: 'default', queue: 'mail' };
    await node.service.updateQueue(queue, { paused: true, create: true }, 'alice');
    const message = create(ListTroubleRequestSchema, {});
    const { groups, ...rest } = await node.api.call(listTrouble, message, callContext());
    expect(groups).toMatchObject([
      {
        sentence: "Queue 'mail' was paused 0 s ago by alice: 0 tasks wait.",
        sinceMs: BigInt(node.clock.now()),
        evidence: { queue: 'mail', actor: 'alice' },
        nextCommand: 'holdfast queues resume mail',
      },
    ]);
    expect(rest).toMatchObject({
      ...{ moreGroups: 0, healthy: [], examined: 0, explained: 0, unexplained: 0, cutQueues: [] },
      ...{ incompleteWorkers: false, atMs: BigInt(node.clock.now()) },
    });
  });
});

describe('an identity that may use only certain queues', () => {
  it('can neither read nor change tasks of other queues, and cannot detect that they exist', async () => {
    const { api, id } = await withTask();
    const held = callContext({ ...anyone, queues: ['mail'] });
    const byId = (named: string) => [
      api.call(getTask, create(GetTaskRequestSchema, { id: named }), held),
      api.call(getTaskHistory, create(GetTaskHistoryRequestSchema, { id: named }), held),
      api.call(explainTask, create(ExplainTaskRequestSchema, { id: named }), held),
      api.call(cancelTask, create(CancelTaskRequestSchema, { id: named }), held),
      api.call(redriveTask, create(RedriveTaskRequestSchema, { id: named }), held),
    ];
    const errorsFor = async (named: string) => {
      const errors = await Promise.all(byId(named).map(rejectionOf));
      return errors.map(({ code, reason, message, help }) => [
        code,
        reason,
        message.replace(named, 'id'),
        help,
      ]);
    };
    expect(await errorsFor(id)).toEqual(await errorsFor('9-nope'));
    for (const call of byId(id)) expect((await rejectionOf(call)).reason).toBe('TASK_NOT_FOUND');
    const byQueue = [
      api.call(getTaskByKey, create(GetTaskByKeyRequestSchema, { queue: 'q', idempotencyKey: 'k' }), held),
      api.call(explainTask, create(ExplainTaskRequestSchema, { queue: 'q', idempotencyKey: 'k' }), held),
      api.call(listTasks, create(ListTasksRequestSchema, { queue: 'q' }), held),
      api.call(redriveTasks, create(RedriveTasksRequestSchema, { queue: 'q' }), held),
    ];
    for (const call of byQueue) expect((await rejectionOf(call)).reason).toBe('DENIED');
    const after = await api.call(getTask, create(GetTaskRequestSchema, { id }), callContext());
    expect(after.task?.state).toBe(TaskState.READY);
  });
});

describe('ListTasks', () => {
  it('returns all tasks in pages, newest first', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'), item('b'), item('c'));
    const seen: string[] = [];
    let pageToken = '';
    do {
      const request = create(ListTasksRequestSchema, { queue: 'q', pageSize: 2, pageToken });
      const page = await node.api.call(listTasks, request, callContext());
      seen.push(...page.tasks.map((task) => task.idempotencyKey));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toEqual(['c', 'b', 'a']);
  });

  it('filters by state, type and tag', async () => {
    const node = await apiNode();
    const scheduled = { options: { ...noOptions, delayMs: 5_000, tags: ['eu'] } };
    await submitItems(node, item('a'), item('b', scheduled), item('c', { spec: specOf('1', 'other') }));
    const keys = async (filter: object) => {
      const request = create(ListTasksRequestSchema, { queue: 'q', ...filter });
      return (await node.api.call(listTasks, request, callContext())).tasks.map(
        (task) => task.idempotencyKey,
      );
    };
    expect(await keys({ state: TaskState.SCHEDULED })).toEqual(['b']);
    expect(await keys({ tag: 'eu' })).toEqual(['b']);
    expect(await keys({ type: 'other' })).toEqual(['c']);
    expect(await keys({ state: TaskState.DEAD })).toEqual([]);
  });
});

describe('CancelTask, GetTaskHistory and RedriveTask', () => {
  it('record and return the actor and the reason of a cancellation, and refuse to redrive a task that is not dead', async () => {
    const { api, id } = await withTask();
    const by = callContext({ ...anyone, name: 'spiffe://x/ops' });
    const { task } = await api.call(
      cancelTask,
      create(CancelTaskRequestSchema, { id, reason: 'no more' }),
      by,
    );
    expect(task?.state).toBe(TaskState.CANCELLED);
    const { events } = await api.call(
      getTaskHistory,
      create(GetTaskHistoryRequestSchema, { id }),
      callContext(),
    );
    expect(events.map((e) => e.kind)).toEqual([EventKind.SUBMITTED, EventKind.CANCELLED]);
    expect(events[1]).toMatchObject({ actor: 'spiffe://x/ops', message: 'no more', schema: 1 });
    const later = create(GetTaskHistoryRequestSchema, { id, fromVersion: 1 });
    expect((await api.call(getTaskHistory, later, callContext())).events).toHaveLength(1);
    const redriven = await rejectionOf(api.call(redriveTask, create(RedriveTaskRequestSchema, { id }), by));
    expect(redriven).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NOT_DEAD', taskId: id });
  });

  it('change nothing after the call’s deadline', async () => {
    const { api, clock, id } = await withTask();
    const late = callContext(anyone, { notAfterMs: clock.monotonic() - 1 });
    const error = await rejectionOf(api.call(cancelTask, create(CancelTaskRequestSchema, { id }), late));
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    const { task } = await api.call(getTask, create(GetTaskRequestSchema, { id }), callContext());
    expect(task?.state).toBe(TaskState.READY);
  });
});

describe('VerifyTaskHistory', () => {
  it('fails with NOT_BUILT on a store that keeps no chain of hashes', async () => {
    const { api, id } = await withTask();
    const request = create(VerifyTaskHistoryRequestSchema, { id });
    expect(await rejectionOf(api.call(verifyTaskHistory, request, callContext()))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'NOT_BUILT',
      message: expect.stringContaining('keeps no chain'),
    });
  });

  it('needs permission for the verb read', async () => {
    const { api, id } = await withTask();
    const request = create(VerifyTaskHistoryRequestSchema, { id });
    const submitter = callContext({ ...anyone, verbs: ['submit'] });
    expect((await rejectionOf(api.call(verifyTaskHistory, request, submitter))).reason).toBe('DENIED');
  });
});

describe('SubmitTasks with generated protobuf messages', () => {
  it('answers each item as SubmitTasks with the core’s own codec does', async () => {
    const { api } = await apiNode();
    const good = {
      idempotencyKey: 'k',
      spec: { type: 't', payload: { bytes: new TextEncoder().encode('1') } },
    };
    const request = create(SubmitTasksRequestSchema, { queue: 'q', items: [good, {}, good] });
    const { results } = await api.call(submitTasks, request, callContext());
    expect(results[0]).toMatchObject({ deduplicated: false, state: TaskState.READY, version: 1 });
    expect(results[1]?.error).toMatchObject({
      code: 3,
      reason: 'BAD_FIELD',
      violations: [{ field: 'items[1].spec.type' }],
    });
    expect(results[2]).toMatchObject({ id: results[0]?.id, deduplicated: true });
  });
});

describe('an unexpected error in a call', () => {
  it('is answered with INTERNAL and the reason BUG', async () => {
    const { api } = await apiNode((service) => ({
      ...service,
      get: () => Promise.reject(new TypeError('oops')),
    }));
    const error = await rejectionOf(
      api.call(getTask, create(GetTaskRequestSchema, { id: 'x' }), callContext()),
    );
    expect(error).toMatchObject({ code: 'INTERNAL', reason: 'BUG' });
  });
});
