import { create, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ApiNode,
  anyone,
  apiNode,
  callContext,
  payload,
  rejectionOf,
} from '../../../../test/fixtures/api-node.ts';
import { OnDead } from '../../gen/holdfast/v1/admin_service_pb.ts';
import { FailReason } from '../../gen/holdfast/v1/worker_service_pb.ts';
import { services } from '../../server/grpc/grpc.ts';
import { verbOf } from './verbs.ts';

const id = { id: 'x' };
const name = { name: 'q' };
const lease = { lease: new Uint8Array(32) };
const item = { idempotencyKey: 'k', spec: { type: 'note', typeVersion: 1, payload: payload('{}') } };

/** A valid request of each unary call, so that nothing but the verb can be the reason of a DENIED. */
const requests: Readonly<Record<string, object>> = {
  SubmitTask: { queue: 'q', item },
  SubmitTasks: { queue: 'q', items: [item] },
  GetTask: id,
  GetTaskByKey: { queue: 'q', idempotencyKey: 'k' },
  ListTasks: { queue: 'q' },
  GetTaskHistory: id,
  VerifyTaskHistory: id,
  ExplainTask: id,
  ListTrouble: {},
  CancelTask: id,
  RedriveTask: id,
  RedriveTasks: { queue: 'q' },
  ClaimTasks: {
    queues: ['q'],
    workerId: crypto.randomUUID(),
    workerName: 'w',
    types: [{ type: 'note' }],
    requestId: 'r',
  },
  Heartbeat: { items: [lease] },
  SucceedTask: { ...lease, result: payload('{}') },
  FailTask: { ...lease, reason: FailReason.RETRY, message: 'm' },
  ListQueues: {},
  GetQueue: name,
  UpdateQueue: { ...name, onDead: OnDead.HOLD },
  PauseQueue: name,
  ResumeQueue: name,
  ListWorkers: {},
};

const methods = services.flatMap((service) => service.methods);
const pathOf = (method: (typeof methods)[number]) => `/${method.parent.typeName}/${method.name}`;

let node: ApiNode;
beforeAll(async () => {
  node = await apiNode();
});

describe('the verb that the listeners check', () => {
  it('is known for each call of each service', () => {
    for (const method of methods) expect(verbOf(pathOf(method)), method.name).toBeDefined();
    expect(verbOf('/holdfast.v1.TaskService/None')).toBeUndefined();
  });

  it.each(
    methods
      .filter(({ methodKind }) => methodKind === 'unary')
      .map((method) => [method.name, method] as const),
  )('is the one that the call itself requires: %s', async (_, method) => {
    const unary = method as DescMethodUnary;
    const request = create(unary.input, requests[method.name] as MessageInitShape<typeof unary.input>);
    const verb = verbOf(pathOf(method));
    const others = { ...anyone, verbs: anyone.verbs.filter((one) => one !== verb) };
    expect(await rejectionOf(node.api.call(unary, request, callContext(others)))).toMatchObject({
      reason: 'DENIED',
    });
    const only = { ...anyone, verbs: anyone.verbs.filter((one) => one === verb) };
    const error = await node.api.call(unary, request, callContext(only)).catch((thrown) => thrown);
    expect(error).not.toMatchObject({ reason: 'DENIED' });
  });
});
