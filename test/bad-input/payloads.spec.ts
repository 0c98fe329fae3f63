/** Payloads that other clients may send but this SDK cannot decode. The status of such a task must stay readable. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import type { Transport } from '../../src/client/transport.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { Client } from '../../src/index.ts';
import { WorkerService } from '../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { item, payload } from '../fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../fixtures/listening-node.ts';

let served: ListeningNode;
let transport: Transport;
let client: Client;
beforeAll(async () => {
  served = await startListeningNode();
  transport = await served.client();
  client = createClient(transport, { clock: served.clock });
});
afterAll(() => served[Symbol.asyncDispose]());

const text = payload('no JSON', 'text/plain');

it('the SDK returns the state and the raw bytes of a task whose payload is not JSON', async () => {
  const spec = encodeSpec({ type: 'text', typeVersion: 1, orderingKey: undefined, payload: text });
  const { results } = await transport.submit({ tenant: '', queue: 'q', items: [item('a', { spec })] }, {});
  const [accepted] = results;
  const id = accepted?.error === undefined ? (accepted?.id ?? '') : '';
  expect(await client.get(id)).toMatchObject({ state: 'ready', input: Buffer.from(text.bytes) });

  const { claimTasks, succeedTask } = WorkerService.method;
  const claim = { workerName: 'w', workerId: 'i', queues: ['q'], types: [{ type: 'text' }] };
  const { tasks } = await transport.call(claimTasks, claim, {});
  await transport.call(succeedTask, { lease: tasks[0]?.lease ?? new Uint8Array(), result: text }, {});
  expect(await client.get(id)).toMatchObject({ state: 'succeeded', result: Buffer.from(text.bytes) });
  await expect(client.task(id).result()).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    reason: 'BAD_JSON',
    message: 'The payload cannot be read: the result is not JSON.',
  });
});
