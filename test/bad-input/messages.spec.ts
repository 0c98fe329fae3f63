/** Invalid messages to a real server over mutual TLS. */
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transport } from '../../src/client/transport.ts';
import { encodeSpec, type Spec } from '../../src/core/codec/spec.ts';
import { limits } from '../../src/core/limits.ts';
import type { SubmitItem, SubmitResult } from '../../src/core/messages.ts';
import { type Client, defineTask, defineWorker, handle, type TaskHandle, typed } from '../../src/index.ts';
import { AdminService, GetQueueRequestSchema } from '../../src/rpc/gen/holdfast/v1/admin_service_pb.ts';
import { ListTasksRequestSchema, TaskService } from '../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { item, payload } from '../fixtures/api-node.ts';
import { type Server, Site } from './bad-input-server.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

let site: Site;
let server: Server;
let transport: Transport;
let client: Client;
let before: string[];
let waiting: TaskHandle<unknown>;
/** A task type that no worker handles until the end of the tests. */
const unhandled = defineTask('unhandled', { input: typed<null>(), queue: 'notes' });
beforeAll(async () => {
  site = await Site.make();
  server = await site.serve();
  transport = server.transport();
  client = server.client();
  waiting = await client.submit(unhandled, null);
  before = await acceptNotes(client, 20);
});
afterAll(() => site[Symbol.asyncDispose]());

async function submit(items: readonly SubmitItem[], queue = 'q'): Promise<readonly SubmitResult[]> {
  return (await transport.submit({ tenant: '', queue, items }, {})).results;
}
const spec = (more: Partial<Spec>): Uint8Array =>
  encodeSpec({ type: 't', typeVersion: 1, orderingKey: undefined, payload: payload('1'), ...more });
const withSpec = (more: Partial<Spec>) => item('k', { spec: spec(more) });
const invalidBytes = { ...payload(''), bytes: Uint8Array.of(0x22, 0xff, 0x22) };

describe('a submission', () => {
  it.each<[string, SubmitItem, string, string, string]>([
    [
      'a key of 256 characters',
      item('k'.repeat(256)),
      'BAD_FIELD',
      'idempotencyKey',
      'has 256 characters; at most 255',
    ],
    [
      'a task type of 65 characters',
      withSpec({ type: 't'.repeat(65) }),
      'BAD_FIELD',
      'spec.type',
      'has 65 characters',
    ],
    ['a task type with a space', withSpec({ type: 'no good' }), 'BAD_FIELD', 'spec.type', 'may hold only'],
    [
      'an ordering key of 256 characters',
      withSpec({ orderingKey: 'o'.repeat(256) }),
      'BAD_FIELD',
      'spec.orderingKey',
      '255',
    ],
    [
      'a spec that ends too early',
      item('k', { spec: spec({}).subarray(0, 4) }),
      'BAD_FIELD',
      'spec',
      'malformed',
    ],
    [
      'a payload that is not UTF-8',
      withSpec({ payload: invalidBytes }),
      'BAD_JSON',
      'spec.payload.bytes',
      'UTF-8',
    ],
    [
      'a payload that is not JSON',
      withSpec({ payload: payload('{"a":') }),
      'BAD_JSON',
      'spec.payload.bytes',
      'JSON',
    ],
    [
      'a payload that is too large',
      withSpec({ payload: payload('x'.repeat(limits.payloadBytes + 1), 'text/plain') }),
      'TOO_LARGE',
      'spec.payload.bytes',
      'has 262,145 bytes; at most 262,144',
    ],
  ])('with %s is refused with the name of the field', async (_, bad, reason, field, description) => {
    const [result] = await submit([bad]);
    expect(result?.error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason,
      help: expect.stringMatching(/\w/),
      violations: [{ field: `items[0].${field}`, description: expect.stringContaining(description) }],
    });
  });

  it('to a queue with an invalid name is refused as a whole', async () => {
    for (const queue of ['q'.repeat(65), 'no good', '']) {
      await expect(submit([item('k')], queue)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        reason: 'BAD_FIELD',
        violations: [{ field: 'queue' }],
      });
    }
  });

  it('of 101 items is refused as a whole', async () => {
    const items = Array.from({ length: 101 }, (_, i) => item(`many/${i}`));
    await expect(submit(items)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'items' }],
    });
  });
});

describe('a batch with one invalid item', () => {
  it('has that item refused at its index, and 99 others of 100 accepted', async () => {
    const items = Array.from({ length: 100 }, (_, i) => item(i === 42 ? 'k'.repeat(300) : `batch/${i}`));
    const results = await submit(items);
    expect(results).toHaveLength(100);
    results.forEach((result, i) => {
      if (i === 42)
        expect(result.error).toMatchObject({ violations: [{ field: 'items[42].idempotencyKey' }] });
      else expect(result).toMatchObject({ error: undefined, deduplicated: false });
    });
    const again = await submit(items);
    expect(again.filter((one) => one.error === undefined && one.deduplicated)).toHaveLength(99);
  });

  it('has only the item with a reused key refused, with the id of the task that has the key', async () => {
    const [first] = await submit([item('taken')]);
    const other = item('taken', { spec: spec({ type: 'other' }) });
    const results = await submit([item('fresh/1'), other, item('fresh/2')]);
    expect(results.map((result) => result.error?.reason)).toEqual([undefined, 'KEY_REUSED', undefined]);
    expect(results[1]?.error?.taskId).toBe(first?.error === undefined ? first?.id : '');
  });
});

describe('an unknown', () => {
  it('queue has an empty list of tasks, and GetQueue refuses it with the names of existing queues', async () => {
    const { method } = TaskService;
    const list = create(ListTasksRequestSchema, { queue: 'nowhere' });
    expect((await transport.call(method.listTasks, list, {})).tasks).toEqual([]);
    const request = create(GetQueueRequestSchema, { name: 'nowhere' });
    await expect(transport.call(AdminService.method.getQueue, request, {})).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'QUEUE_UNKNOWN',
      help: expect.stringContaining('notes'),
    });
  });

  it('task id is refused with TASK_NOT_FOUND, in any form', async () => {
    for (const id of ['1-nonsense', '99999999-zzzz', 'x'.repeat(255), '../../etc', '\u{1f600}']) {
      await expect(client.get(id)).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' });
    }
  });
});

describe('the command line', () => {
  it.each<[string, string[], number, string]>([
    ['a payload that is not JSON', ['submit', 'note', '{'], 2, 'BAD_FIELD'],
    ['a file that does not exist', ['submit', 'note', '@/no/such/file'], 2, 'BAD_FIELD'],
    [
      'an idempotency key of 256 characters',
      ['submit', 'note', '{}', '--key', 'k'.repeat(256)],
      2,
      'BAD_FIELD',
    ],
    ['a queue name of 65 characters', ['submit', 'note', '{}', '--queue', 'q'.repeat(65)], 2, 'BAD_FIELD'],
    ['a task that does not exist', ['show', '1-none'], 3, 'TASK_NOT_FOUND'],
    [
      'a key that another request has used',
      ['submit', 'other', '{}', '--key', 'before/0', '--queue', 'notes'],
      4,
      'KEY_REUSED',
    ],
  ])('with %s exits with the status of that error', async (_, args, code, reason) => {
    const ended = await server.cli(args);
    expect(ended).toMatchObject({ code, error: { reason, help: expect.stringMatching(/\w/) } });
  });
});

it('after clients sent invalid messages, each accepted task runs once, and a task without a worker still waits', async () => {
  await expectEndOnce(client, before);
  expect(await waiting.status()).toMatchObject({ state: 'ready', attempt: 0 });
  await using _ = await client.work(defineWorker({ handlers: [handle(unhandled, () => {})] }));
  await waiting.result({ timeout: '10s' });
});
