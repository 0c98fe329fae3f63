/**
 * Tests that one thing has one name in the SDK, in what the command prints with `--json`, and in JSON over HTTP. These
 * differences follow rules: a Date of the SDK is a number with `Ms` elsewhere (`acceptedAt`, `acceptedAtMs`), an enum over
 * HTTP has its prefix (`TASK_STATE_DEAD`), a number of 64 bits is a text there, and a field that is empty or 0 is left out.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silent } from '../../src/client/log.ts';
import {
  type Client,
  connect,
  defineTask,
  defineWorker,
  FatalError,
  handle,
  typed,
} from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type ExplainedServer, startExplainedServer } from './explained-server.ts';

const doomed = defineTask('doomed', { input: typed<{ n: number }>(), queue: 'spelled' });
type Fields = Record<string, unknown>;

let server: ExplainedServer;
let client: Client;
let id: string;

beforeAll(async () => {
  server = await startExplainedServer(systemClock());
  client = connect(server.url, { log: silent });
  const fail = handle(doomed, () => {
    throw new FatalError('no such address');
  });
  const worker = await client.work(defineWorker({ name: 'speller', handlers: [fail] }));
  const options = { tags: ['a'], priority: 'high', orderingKey: 'ann', idempotencyKey: 'k' } as const;
  const task = await client.submit(doomed, { n: 1 }, options);
  id = task.id;
  await task.result().catch(() => {});
  await worker.drain();
  await client.queues.pause('spelled', { reason: 'a test', until: new Date(Date.now() + 3_600_000) });
});
afterAll(async () => {
  await client.close();
  await server.close();
});

/** Brings a value of the SDK, the command or HTTP to the common form: no empty fields, numbers and words alike. */
function common(value: unknown, name = ''): unknown {
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((one) => common(one));
  if (typeof value === 'object' && value !== null) return fields(value as Fields);
  if (value === '' || value === 0 || value === false || value === null) return undefined;
  if (typeof value === 'string' && /^\d+$/.test(value)) return Number(value) || undefined;
  return typeof value === 'string' ? enumWord(value, name) : value;
}

/** Converts `DEAD_REASON_WORKER_LOST` of a field `deadReason` to `workerLost`. */
function enumWord(word: string, name: string): string {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  const prefix = ['TASK_STATE', 'EVENT_KIND', snake].find((one) => word.startsWith(`${one}_`));
  if (prefix === undefined) return word;
  return word
    .slice(prefix.length + 1)
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function fields(object: Fields): Fields {
  const entries = Object.entries(object).map(([name, value]): [string, unknown] => [
    value instanceof Date ? `${name}Ms` : name,
    common(value, name),
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** Flattens a task over HTTP: `spec` and `options` stand beside the other fields in the SDK, and the payload is its input. */
function flatTask({ spec, options, ...own }: { spec: Fields; options: Fields } & Fields): Fields {
  const { payload, ...rest } = spec;
  const input = JSON.parse(atob((payload as { bytes: string }).bytes));
  return { ...own, ...rest, ...options, input };
}

/** Keeps of the fields those that both have, so that each must be equal, and none of `expected` may be missing. */
function picked(from: Fields, like: Fields): Fields {
  return Object.fromEntries(Object.keys(like).map((name) => [name, from[name]]));
}

it('a task has the same fields with the same values in the SDK, by the command and over HTTP', async () => {
  const sdk = fields({ ...(await client.get(id)) });
  const byCommand = fields((await server.command('show', id, '--json')).json);
  const { task } = await server.post('TaskService/GetTask', { id, view: 'TASK_VIEW_FULL' });
  const overHttp = fields(flatTask(task));
  expect(sdk).toMatchObject({ idempotencyKey: 'k', deadReason: 'fatal', priority: 'high', input: { n: 1 } });
  expect(picked(byCommand, sdk)).toEqual(sdk);
  expect(picked(overHttp, sdk)).toEqual(sdk);
  const { options, ...flat } = byCommand;
  expect(picked(overHttp, { ...flat, ...(options as Fields) })).toEqual({ ...flat, ...(options as Fields) });
});

it('an event has the same fields with the same values in the SDK, by the command and over HTTP', async () => {
  const sdk: Fields[] = [];
  for await (const { version: _, state: __, ...event } of client.task(id).events()) sdk.push(fields(event));
  const { history } = (await server.command('show', id, '--history', '--json')).json;
  const { events } = await server.post('TaskService/GetTaskHistory', { id });
  expect(sdk.map(({ kind }) => kind)).toEqual(['submitted', 'claimed', 'died']);
  for (const [i, event] of sdk.entries()) {
    expect(picked(fields(history[i]), event)).toEqual(event);
    expect(picked(fields(events[i]), event)).toEqual(event);
  }
});

it('a queue, its pause and its counts are the same in the SDK, by the command and over HTTP', async () => {
  const sdk = fields({ ...(await client.queues.get('spelled')) });
  expect(sdk).toMatchObject({
    name: 'spelled',
    paused: true,
    pause: { reason: 'a test' },
    counts: { dead: 1 },
  });
  expect(fields((await server.command('queues', 'show', 'spelled', '--json')).json)).toEqual(sdk);
  const { queue } = await server.post('AdminService/GetQueue', { name: 'spelled' });
  expect(fields(queue)).toEqual(sdk);
});

it('workers are the same in the SDK, by the command and over HTTP', async () => {
  const worker = await client.work(defineWorker({ name: 'named', handlers: [handle(doomed, () => {})] }));
  await expect.poll(async () => (await client.workers.list()).workers.length).toBe(1);
  const sdk = fields({ ...(await client.workers.list()) });
  expect(fields((await server.command('workers', 'list', '--json')).json)).toEqual(sdk);
  expect(fields(await server.post('AdminService/ListWorkers', {}))).toEqual(sdk);
  await worker.drain();
});

it('a page of a list and a dry run of a redrive are the same in the SDK, by the command and over HTTP', async () => {
  const { isCut, tasks: _, ...sdk } = await client.list({ queue: 'spelled' });
  const {
    tasks: __,
    isCut: isCutToo,
    ...byCommand
  } = (await server.command('list', '--queue', 'spelled', '--json')).json;
  const { tasks: ___, ...overHttp } = await server.post('TaskService/ListTasks', { queue: 'spelled' });
  expect([isCut, isCutToo]).toEqual([false, false]);
  expect(fields(byCommand)).toEqual(fields(sdk));
  expect(fields(overHttp)).toEqual(fields(sdk));
  const redriven = fields({ ...(await client.redrive({ queue: 'spelled', dryRun: true })) });
  const { dryRun, ...done } = (await server.command('redrive', '--queue', 'spelled', '--dry-run', '--json'))
    .json;
  expect([dryRun, fields(done)]).toEqual([true, redriven]);
  const request = { queue: 'spelled', dryRun: true };
  expect(fields(await server.post('TaskService/RedriveTasks', request))).toMatchObject(redriven);
});

it('an error has the same code, reason, message, help and task in the SDK and by the command', async () => {
  const sdk = await client.get('999-abc').catch(({ code, reason, message, help, taskId }) => ({
    ...{ code, reason, message, help, taskId },
  }));
  const { error } = (await server.command('show', '999-abc', '--json')).json;
  expect(error).toEqual(JSON.parse(JSON.stringify(sdk)));
});
