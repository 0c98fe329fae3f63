import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandOutput,
  SendMessageBatchCommand,
  type SendMessageBatchCommandOutput,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { buildApp } from 'fauxqs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type SqsProxy, startSqsProxy } from './sqs-proxy.ts';

const app = buildApp({ logger: false });
let upstream = '';
let proxy: SqsProxy;
let client: SQSClient;
let QueueUrl: string;
let made = 0;
let nowMs = 0;

beforeAll(async () => {
  upstream = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => app.close());
beforeEach(async () => {
  nowMs = 0;
  proxy = await startSqsProxy({ upstream, seed: 1, now: () => nowMs });
  client = new SQSClient({
    endpoint: proxy.url,
    region: 'local',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    useQueueUrlAsEndpoint: false,
    maxAttempts: 1,
  });
  const queue = { QueueName: `queue-${++made}.fifo`, Attributes: { FifoQueue: 'true' } };
  QueueUrl = String((await client.send(new CreateQueueCommand(queue))).QueueUrl);
  proxy.restartCount();
});
afterEach(async () => {
  client.destroy();
  await proxy.close();
});

const send = (...ids: readonly string[]): Promise<SendMessageBatchCommandOutput> => {
  const entry = (id: string) => ({ MessageBody: id, MessageGroupId: id, MessageDeduplicationId: id });
  const Entries = ids.map((id, i) => ({ Id: String(i), ...entry(id) }));
  return client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
};
const receive = (WaitTimeSeconds = 0, signal?: AbortSignal): Promise<ReceiveMessageCommandOutput> =>
  client.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds }),
    signal && { abortSignal: signal },
  );
const bodies = ({ Messages = [] }: ReceiveMessageCommandOutput): unknown[] =>
  Messages.map(({ Body }) => Body);

it('the proxy logs each call with operation, queue and message groups', async () => {
  await send('a', 'b');
  expect(bodies(await receive())).toEqual(['a', 'b']);
  expect(proxy.calls).toMatchObject([
    { n: 1, operation: 'SendMessageBatch', resources: [`queue-${made}.fifo`], keys: ['a', 'b'], status: 200 },
    { n: 2, operation: 'ReceiveMessage', resources: [`queue-${made}.fifo`], keys: [], status: 200 },
  ]);
});

it('a limit on one operation of one queue gives a typed error that the SDK counts as a throttle', async () => {
  await proxy.set({ limits: [{ queue: `queue-${made}.fifo`, operation: 'SendMessageBatch', callsPerS: 1 }] });
  await send('a');
  await expect(send('b')).rejects.toMatchObject({
    name: 'RequestThrottled',
    $metadata: { httpStatusCode: 400 },
  });
  expect(bodies(await receive())).toEqual(['a']);
  nowMs = 1_000;
  await send('b');
  await proxy.set({ limits: undefined });
  for (const id of ['c', 'd', 'e']) await send(id);
});

it('the seed of the proxy decides which entries of an SQS batch fail, and the other entries are forwarded', async () => {
  await proxy.set({ failEntries: 0.5 });
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const { Successful = [], Failed = [] } = await send(...ids);
  expect([Successful.length > 0, Failed.length > 0]).toEqual([true, true]);
  expect(Failed[0]).toMatchObject({ Code: 'InternalError', SenderFault: false });
  await proxy.set({ failEntries: undefined });
  expect(bodies(await receive())).toEqual(Successful.map(({ Id }) => ids[Number(Id)]));
});

it('all entries of an SQS batch can fail', async () => {
  await proxy.set({ failEntries: 1 });
  const { Successful, Failed } = await send('a', 'b');
  expect([Successful ?? [], Failed?.length]).toEqual([[], 2]);
});

it('if the answer to a send is lost the message was sent, and if the request is lost the message was not sent', async () => {
  proxy.hook({ afterRequest: (n) => (n === 1 ? 'lose' : undefined) });
  await expect(send('a')).rejects.toThrow(/socket hang up|ECONNRESET/);
  proxy.hook({ beforeRequest: (n) => (n === 2 ? 'lose' : undefined) });
  await expect(send('b')).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect(bodies(await receive())).toEqual(['a']);
});

it('a message that a long poll received for a disconnected caller is made visible again', async () => {
  const leaving = receive(5, AbortSignal.timeout(80));
  await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
  await send('a');
  await expect.poll(async () => bodies(await receive()), { timeout: 1_000 }).toEqual(['a']);
});

it('the proxy delays calls, answers HTTP 500, and refuses connections', async () => {
  await proxy.set({ latency: { fixedMs: 60, jitterMs: 0 } });
  const startMs = performance.now();
  await receive();
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(58);
  await proxy.outage('error');
  await expect(receive()).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } });
  await proxy.outage('refuse');
  await expect(receive()).rejects.toThrow(/ECONN|hang up/); // the client tries its open connection first
  await expect(receive()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.outage(undefined);
  await receive();
});

it('the proxy passes an error of the stand-in on unchanged', async () => {
  const command = new DeleteMessageCommand({ QueueUrl: `${QueueUrl}x`, ReceiptHandle: 'h' });
  await expect(client.send(command)).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
});
