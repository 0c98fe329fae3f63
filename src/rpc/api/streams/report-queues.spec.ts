import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  callContext,
  item,
  RecordingStream,
  rejectionOf,
  submitItems,
} from '../../../../test/fixtures/api-node.ts';
import type { ReportResponse, Settlement } from '../../../core/messages.ts';
import {
  ClaimTasksRequestSchema,
  FailReason,
  FailTaskRequestSchema,
  HeartbeatRequestSchema,
  SucceedTaskRequestSchema,
  WorkerService,
} from '../../gen/holdfast/v1/worker_service_pb.ts';

const { claimTasks, heartbeat, succeedTask, failTask } = WorkerService.method;
/** The identity `ours` may use the queue of the tasks; the identity `theirs` may use only other queues. */
const ours = callContext({ ...anyone, name: 'ours', queues: ['q'] });
const theirs = callContext({ ...anyone, name: 'theirs', queues: ['other', 'r'] });
const denied = {
  code: 'PERMISSION_DENIED',
  reason: 'DENIED',
  message: "'theirs' may not use the queue 'q'.",
  help: "The operator of the server can grant the queue 'q' to 'theirs' in the policy file.",
};
const claim = {
  workerName: 'w',
  workerId: 'i',
  queues: ['q'],
  types: [{ type: 'note' }],
  requestId: 'first',
};

let node: ApiNode;
let lease: Uint8Array;
let id: string;
beforeEach(async () => {
  node = await apiNode();
  await submitItems(node, item('a'));
  const { tasks } = await node.api.call(claimTasks, create(ClaimTasksRequestSchema, claim), ours);
  lease = tasks[0]?.lease ?? new Uint8Array();
  id = tasks[0]?.taskId ?? '';
});
const head = async () => (await node.service.get('default', id, false)).snapshot.head;

function report(context: typeof ours) {
  const recorded = new RecordingStream<ReportResponse>();
  const worker = node.api.report(recorded, context);
  worker.message({ kind: 'hello', sessionId: '', workerId: 'i', tenant: '' });
  return { recorded, worker };
}
const settlement = (): Settlement => {
  const empty = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: false };
  return { lease, outcome: 'succeeded', ...empty };
};

describe('an identity that may not use the queue of a task', () => {
  it('cannot settle the task over a Report stream, which stays open', async () => {
    const { recorded, worker } = report(theirs);
    worker.message({ kind: 'settlements', batch: 1, items: [settlement()] });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([{ results: [{ error: denied }] }]);
    expect(recorded.ended).toBe(false);
    expect(await head()).toMatchObject({ state: 'running' });
  });

  it('cannot renew the task’s lease over a Report stream', async () => {
    const before = await head();
    await node.clock.advance(5_000);
    const { recorded, worker } = report(theirs);
    worker.message({
      kind: 'heartbeats',
      batch: 1,
      items: [{ lease, begun: true, progress: { fraction: 0.5, note: '' } }],
    });
    await node.clock.settle();
    expect(recorded.of('heartbeats')).toMatchObject([{ answers: [{ verdict: 'error', error: denied }] }]);
    expect(await head()).toEqual(before);
  });

  it('cannot settle the task or renew its lease by unary calls', async () => {
    const { api } = node;
    const before = await head();
    const succeed = create(SucceedTaskRequestSchema, { lease });
    const fail = create(FailTaskRequestSchema, { lease, reason: FailReason.FATAL });
    expect(await rejectionOf(api.call(succeedTask, succeed, theirs))).toMatchObject(denied);
    expect(await rejectionOf(api.call(failTask, fail, theirs))).toMatchObject(denied);
    const renew = create(HeartbeatRequestSchema, { items: [{ lease }] });
    const { answers } = await api.call(heartbeat, renew, theirs);
    expect(answers[0]?.error).toMatchObject({ reason: 'DENIED' });
    expect(await head()).toEqual(before);
  });

  it('does not receive the task that another identity claimed with the same request id', async () => {
    const request = create(ClaimTasksRequestSchema, { ...claim, queues: ['r'] });
    expect((await node.api.call(claimTasks, request, theirs)).tasks).toEqual([]);
  });
});

it('an identity that may use the queue of a task can renew the task’s lease and settle the task', async () => {
  const { recorded, worker } = report(ours);
  worker.message({ kind: 'heartbeats', batch: 1, items: [{ lease, begun: true, progress: undefined }] });
  await node.clock.settle();
  worker.message({ kind: 'settlements', batch: 2, items: [settlement()] });
  await node.clock.settle();
  expect(recorded.of('heartbeats')).toMatchObject([{ answers: [{ verdict: 'renewed' }] }]);
  expect(recorded.of('settled')).toMatchObject([{ results: [{ state: 'succeeded' }] }]);
});
