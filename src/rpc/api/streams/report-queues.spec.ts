import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  calledBy,
  item,
  Recorded,
  refusal,
  submitted,
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
/** The identity of the tasks' queue, and one that is held to another queue. */
const ours = calledBy({ ...anyone, name: 'ours', queues: ['q'] });
const theirs = calledBy({ ...anyone, name: 'theirs', queues: ['other', 'r'] });
const denied = {
  code: 'PERMISSION_DENIED',
  reason: 'DENIED',
  message: "'theirs' may not use the queue 'q'.",
  help: "Whoever runs the server can grant the queue 'q' to 'theirs' in the policy file.",
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
  await submitted(node, item('a'));
  const { tasks } = await node.api.call(claimTasks, create(ClaimTasksRequestSchema, claim), ours);
  lease = tasks[0]?.lease ?? new Uint8Array();
  id = tasks[0]?.taskId ?? '';
});
const head = async () => (await node.service.get('default', id, false)).snapshot.head;

function report(context: typeof ours) {
  const recorded = new Recorded<ReportResponse>();
  const worker = node.api.report(recorded, context);
  worker.message({ kind: 'hello', sessionId: '', workerId: 'i', tenant: '' });
  return { recorded, worker };
}
const settlement = (): Settlement => {
  const said = { result: undefined, message: '', errorType: '', afterMs: undefined };
  return { lease, outcome: 'succeeded', ...said };
};

describe('an identity that is held to other queues', () => {
  it('cannot settle a lease by a stream, which goes on', async () => {
    const { recorded, worker } = report(theirs);
    worker.message({ kind: 'settlements', batch: 1, items: [settlement()] });
    await node.clock.settle();
    expect(recorded.of('settled')).toMatchObject([{ results: [{ error: denied }] }]);
    expect(recorded.ended).toBe(false);
    expect(await head()).toMatchObject({ state: 'running' });
  });

  it('cannot renew one by a stream', async () => {
    const before = await head();
    await node.clock.advance(5_000);
    const { recorded, worker } = report(theirs);
    worker.message({
      kind: 'heartbeats',
      batch: 1,
      items: [{ lease, progress: { fraction: 0.5, note: '' } }],
    });
    await node.clock.settle();
    expect(recorded.of('heartbeats')).toMatchObject([{ answers: [{ verdict: 'error', error: denied }] }]);
    expect(await head()).toEqual(before);
  });

  it('cannot do either by unary calls', async () => {
    const { api } = node;
    const before = await head();
    const succeed = create(SucceedTaskRequestSchema, { lease });
    const fail = create(FailTaskRequestSchema, { lease, reason: FailReason.FATAL });
    expect(await refusal(api.call(succeedTask, succeed, theirs))).toMatchObject(denied);
    expect(await refusal(api.call(failTask, fail, theirs))).toMatchObject(denied);
    const beat = create(HeartbeatRequestSchema, { items: [{ lease }] });
    const { answers } = await api.call(heartbeat, beat, theirs);
    expect(answers[0]?.error).toMatchObject({ reason: 'DENIED' });
    expect(await head()).toEqual(before);
  });

  it('is not given what another claimed under the same request id', async () => {
    const asked = create(ClaimTasksRequestSchema, { ...claim, queues: ['r'] });
    expect((await node.api.call(claimTasks, asked, theirs)).tasks).toEqual([]);
  });
});

it('an identity of the lease’s queue settles and renews it', async () => {
  const { recorded, worker } = report(ours);
  worker.message({ kind: 'heartbeats', batch: 1, items: [{ lease, progress: undefined }] });
  await node.clock.settle();
  worker.message({ kind: 'settlements', batch: 2, items: [settlement()] });
  await node.clock.settle();
  expect(recorded.of('heartbeats')).toMatchObject([{ answers: [{ verdict: 'renewed' }] }]);
  expect(recorded.of('settled')).toMatchObject([{ results: [{ state: 'succeeded' }] }]);
});
