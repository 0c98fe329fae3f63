import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  callContext,
  item,
  rejectionOf,
  specOf,
  submitItems,
} from '../../../test/fixtures/api-node.ts';
import { limits } from '../../core/limits.ts';
import { TaskState } from '../gen/holdfast/v1/task_pb.ts';
import {
  ClaimTasksRequestSchema,
  FailReason,
  FailTaskRequestSchema,
  HeartbeatRequestSchema,
  HeartbeatVerdict,
  SucceedTaskRequestSchema,
  WorkerService,
} from '../gen/holdfast/v1/worker_service_pb.ts';

const { claimTasks, heartbeat, succeedTask, failTask } = WorkerService.method;
const json = (text: string) => ({ contentType: 'application/json', bytes: new TextEncoder().encode(text) });

function claim(node: ApiNode, more: object = {}, context = callContext()) {
  const request = { workerName: 'w', workerId: 'i', queues: ['q'], types: [{ type: 'note' }], ...more };
  return node.api.call(claimTasks, create(ClaimTasksRequestSchema, request), context);
}

async function claimed(...keys: string[]) {
  const node = await apiNode();
  await submitItems(node, ...keys.map((key) => item(key, { spec: specOf('{"n":1}') })));
  const { tasks } = await claim(node, { maxTasks: keys.length });
  return { node, tasks, lease: tasks[0]?.lease as Uint8Array, id: tasks[0]?.taskId ?? '' };
}
const headOf = async (node: ApiNode, id: string) =>
  (await node.service.get('default', id, true)).snapshot.head;

describe('ClaimTasks', () => {
  it('assigns one task by default, with its lease and payload', async () => {
    const node = await apiNode();
    await submitItems(node, item('a', { spec: specOf('{"n":1}') }), item('b'));
    const { tasks } = await claim(node);
    expect(tasks).toMatchObject([
      { idempotencyKey: 'a', attempt: 1, maxAttempts: 5, leaseMs: 30_000n, queue: 'q', tenant: 'default' },
    ]);
    expect(new TextDecoder().decode(tasks[0]?.spec?.payload?.bytes)).toBe('{"n":1}');
  });

  it('is refused beyond the calls of one identity that may wait, while others and calls without a wait are served', async () => {
    const node = await apiNode();
    const wait = { waitMs: 10_000n };
    const waiting = Array.from({ length: limits.waitingClaimsPerIdentity }, () => claim(node, wait));
    await node.clock.settle();
    expect(await rejectionOf(claim(node, wait))).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'LIMIT_REACHED',
      message: "'local' has 1,024 waiting claim calls on this node, and may have 1,024.",
    });
    expect((await claim(node)).tasks).toEqual([]);
    const other = claim(node, wait, callContext({ ...anyone, name: 'other' }));
    await node.clock.advance(10_000);
    for (const { tasks } of await Promise.all([...waiting, other])) expect(tasks).toEqual([]);
    const again = claim(node, wait);
    await node.clock.advance(10_000);
    expect((await again).tasks).toEqual([]);
  });

  it('answers a repeated request with the same assignments', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'), item('b'));
    const first = await claim(node, { requestId: 'r' });
    expect((await claim(node, { requestId: 'r' })).tasks[0]?.lease).toEqual(first.tasks[0]?.lease);
  });

  it('never returns assignments to another worker or identity with the same request id', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'));
    const worker = { workerId: 'w', requestId: '7' };
    expect((await claim(node, { ...worker, queues: ['r', 'q'] })).tasks).toHaveLength(1);
    const low = callContext({ ...anyone, name: 'low', queues: ['r'] });
    for (const more of [
      { ...worker, queues: ['r'], requestId: 'q/7' },
      { ...worker, queues: ['r'], workerId: 'w/r/q' },
      { ...worker, queues: ['r'] },
    ]) {
      expect((await claim(node, more, low)).tasks).toEqual([]);
    }
    const other = callContext({ ...anyone, name: 'other' });
    expect((await claim(node, { ...worker, queues: ['r', 'q'] }, other)).tasks).toEqual([]);
    for (const more of [{ workerName: 'v' }, { maxTasks: 2 }, { types: [{ type: 'note', maxVersion: 2 }] }]) {
      expect((await claim(node, { ...worker, queues: ['r', 'q'], ...more })).tasks).toEqual([]);
    }
    expect((await claim(node, { ...worker, queues: ['r', 'q'] })).tasks).toHaveLength(1);
  });

  it('answers a repeated request with the remaining lease time of each task, and without settled tasks', async () => {
    const node = await apiNode();
    await submitItems(node, item('a'), item('b'));
    const first = await claim(node, { requestId: 'r', maxTasks: 2 });
    await node.clock.advance(10_000);
    const lease = first.tasks[0]?.lease as Uint8Array;
    await node.api.call(succeedTask, create(SucceedTaskRequestSchema, { lease }), callContext());
    const again = await claim(node, { requestId: 'r', maxTasks: 2 });
    expect(again.tasks).toMatchObject([{ idempotencyKey: 'b', leaseMs: 20_000n }]);
  });

  it('claims tasks for a repeated request id if the first request with that id found no task', async () => {
    const node = await apiNode();
    expect((await claim(node, { requestId: 'r' })).tasks).toEqual([]);
    await submitItems(node, item('a'));
    expect((await claim(node, { requestId: 'r' })).tasks).toHaveLength(1);
  });

  it('ends its wait without tasks when the node begins to drain, and is refused from then on', async () => {
    const node = await apiNode();
    const waiting = claim(node, { waitMs: 20_000n });
    await node.clock.advance(1_000);
    node.api.drain();
    const [submitted] = await submitItems(node, item('a'));
    expect((await waiting).tasks).toEqual([]);
    expect(await rejectionOf(claim(node))).toMatchObject({ code: 'UNAVAILABLE', reason: 'DRAINING' });
    expect(await headOf(node, submitted?.id ?? '')).toMatchObject({ state: 'waiting' });
  });

  it('needs permission for the verb work and for each queue', async () => {
    const node = await apiNode();
    expect((await rejectionOf(claim(node, {}, callContext({ ...anyone, verbs: [] })))).reason).toBe('DENIED');
    const held = callContext({ ...anyone, queues: ['q'] });
    expect((await rejectionOf(claim(node, { queues: ['q', 'r'] }, held))).message).toBe(
      "'local' may not use the queue 'r'.",
    );
  });
});

describe('settling by unary calls', () => {
  it('records a success with its result', async () => {
    const { node, lease, id } = await claimed('a');
    const request = create(SucceedTaskRequestSchema, { lease, result: json('{"ok":true}') });
    expect((await node.api.call(succeedTask, request, callContext())).state).toBe(TaskState.SUCCEEDED);
    expect((await node.api.call(succeedTask, request, callContext())).state).toBe(TaskState.SUCCEEDED);
    expect(await headOf(node, id)).toMatchObject({ state: 'succeeded' });
  });

  it('refuses a result that is not JSON, and the task stays running', async () => {
    const { node, lease, id } = await claimed('a');
    const error = await rejectionOf(
      node.api.call(
        succeedTask,
        create(SucceedTaskRequestSchema, { lease, result: json('{') }),
        callContext(),
      ),
    );
    expect(error).toMatchObject({ reason: 'BAD_JSON', violations: [{ field: 'result.bytes' }] });
    expect(await headOf(node, id)).toMatchObject({ state: 'running' });
  });

  it.each([
    [FailReason.RETRY, {}, TaskState.SCHEDULED],
    [FailReason.FATAL, {}, TaskState.DEAD],
    [FailReason.SNOOZE, { afterMs: 60_000n }, TaskState.SCHEDULED],
    [FailReason.RELEASED, {}, TaskState.READY],
    [FailReason.LOST, {}, TaskState.READY],
  ])('records a failure with reason %i', async (reason, more, state) => {
    const { node, lease } = await claimed('a');
    const request = create(FailTaskRequestSchema, { lease, reason, message: 'no', ...more });
    expect((await node.api.call(failTask, request, callContext())).state).toBe(state);
  });

  it('refuses a failure without a reason, and a cancellation without a cancel request', async () => {
    const { node, lease, id } = await claimed('a');
    const fail = (reason: FailReason) =>
      rejectionOf(node.api.call(failTask, create(FailTaskRequestSchema, { lease, reason }), callContext()));
    expect((await fail(FailReason.UNSPECIFIED)).message).toBe('reason: is missing');
    expect((await fail(9 as FailReason)).message).toBe('reason: is 9; unknown to this version');
    expect(await fail(FailReason.CANCELLED)).toMatchObject({ reason: 'NO_CANCEL_REQUESTED', taskId: id });
  });

  it('changes nothing after the call’s deadline', async () => {
    const { node, lease, id } = await claimed('a');
    const late = callContext(anyone, { notAfterMs: node.clock.monotonic() - 1 });
    const error = await rejectionOf(
      node.api.call(succeedTask, create(SucceedTaskRequestSchema, { lease }), late),
    );
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    expect(await headOf(node, id)).toMatchObject({ state: 'running' });
  });
});

describe('Heartbeat', () => {
  it('renews a lease whatever its progress is, reports a cancel request, and refuses an invalid lease', async () => {
    const { node, tasks } = await claimed('a', 'b', 'c');
    const [a, b, c] = tasks;
    await node.service.cancel('default', b?.taskId ?? '', { actor: 'x', message: '' });
    const items = [
      { lease: a?.lease as Uint8Array, progress: { fraction: 0.25, note: 'on it' } },
      { lease: b?.lease as Uint8Array },
      { lease: new Uint8Array() },
      { lease: c?.lease as Uint8Array, progress: { fraction: 7, note: 'n'.repeat(300) } },
    ];
    const { answers } = await node.api.call(
      heartbeat,
      create(HeartbeatRequestSchema, { items }),
      callContext(),
    );
    expect(answers.map((answer) => answer.verdict)).toEqual([
      HeartbeatVerdict.RENEWED,
      HeartbeatVerdict.CANCEL,
      HeartbeatVerdict.ERROR,
      HeartbeatVerdict.RENEWED,
    ]);
    expect(answers[2]?.error?.violations[0]?.field).toBe('items[2].lease');
    expect((await headOf(node, a?.taskId ?? '')).progress).toEqual({ fraction: 0.25, note: 'on it' });
    const corrected = { fraction: 1, note: 'n'.repeat(256) };
    expect((await headOf(node, c?.taskId ?? '')).progress).toEqual(corrected);
  });

  it('without items is refused', async () => {
    const node = await apiNode();
    const error = await rejectionOf(node.api.call(heartbeat, create(HeartbeatRequestSchema), callContext()));
    expect(error.message).toBe('items: has 0 items; at least 1');
  });
});
