/** Tests the verbs that wait for tasks and watch them, and the list over all queues. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silent } from '../../src/client/log.ts';
import {
  type Client,
  connect,
  defineTask,
  defineWorker,
  FatalError,
  handle,
  type RunningWorker,
  typed,
} from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { start } from './command-server.ts';
import { type ExplainedServer, startExplainedServer } from './explained-server.ts';

const echo = defineTask('echo', { input: typed<string>(), output: typed<string>(), queue: 'work' });
const fail = defineTask('fail', { input: typed<null>(), queue: 'work' });
const gated = defineTask('gated', { input: typed<null>(), queue: 'work' });
const idle = defineTask('idle', { input: typed<number>(), queue: 'idle' });

let server: ExplainedServer;
let client: Client;
let worker: RunningWorker;
let gate = Promise.withResolvers<void>();

beforeAll(async () => {
  server = await startExplainedServer(systemClock());
  client = connect(server.url, { log: silent });
  const handlers = [
    handle(echo, (input) => input),
    handle(fail, () => {
      throw new FatalError('it never works');
    }),
    handle(gated, async (_input, context) => {
      context.progress(0.5, 'half done');
      await gate.promise;
    }),
  ];
  worker = await client.work(defineWorker({ handlers }));
});
afterAll(async () => {
  gate.resolve();
  await worker.drain();
  await client.close();
  await server.close();
});

describe('holdfast wait', () => {
  it('prints a line for each task as it ends, and ends with status 0 if all succeeded', async () => {
    const ids = [await client.submit(echo, 'a'), await client.submit(echo, 'b')].map(({ id }) => id);
    const waited = await server.command('wait', ...ids);
    expect(waited).toMatchObject({ code: 0, err: '' });
    expect(waited.out.split('\n').filter(Boolean).sort()).toEqual(ids.map((id) => `${id} succeeded`).sort());
    const { json } = await server.command('wait', ...ids, '--json');
    expect(json).toMatchObject({ tasks: [{ state: 'succeeded' }, { state: 'succeeded' }], errors: [] });
  });

  it('ends with status 1 and the error of the first task that died, and names how many did not succeed', async () => {
    const [good, bad] = [await client.submit(echo, 'a'), await client.submit(fail, null)];
    const waited = await server.command('wait', good.id, bad.id);
    expect(waited.code).toBe(1);
    expect(waited.out).toContain(`${bad.id} dead: it never works\n`);
    expect(waited.err).toMatch(/1 of 2 tasks did not succeed\..*it never works\n {2}See why: holdfast why /);
    const one = await server.command('wait', bad.id, '--json');
    expect(one).toMatchObject({ code: 1, json: { error: { reason: 'TASK_DEAD', taskId: bad.id } } });
  });

  it('waits for a task that ends later, gives up after --timeout, and refuses an unknown id', async () => {
    gate = Promise.withResolvers();
    const { id } = await client.submit(gated, null);
    const late = await server.command('wait', id, '--timeout', '200ms', '--json');
    expect(late).toMatchObject({ code: 5, json: { error: { reason: 'TIMED_OUT', taskId: id } } });
    expect(late.json.error.help).toContain(`holdfast why ${id}`);
    const waiting = server.command('wait', id);
    gate.resolve();
    expect((await waiting).out).toBe(`${id} succeeded\n`);
    const unknown = await server.command('wait', '999-abc', '--json');
    expect(unknown).toMatchObject({
      code: 3,
      json: { error: { reason: 'TASK_NOT_FOUND', taskId: '999-abc' } },
    });
  });

  it('reads ids from standard input', async () => {
    const { id } = await client.submit(echo, 'a');
    const waiting = start(['wait', '-', '--url', server.url], { input: `ID STATE\n${id} ready\n` });
    expect(await waiting.exit).toBe(0);
    expect(waiting.out).toBe(`${id} succeeded\n`);
  });
});

describe('holdfast watch', () => {
  it('prints the events of a task until it ends, and with --json one JSON value a line', async () => {
    gate = Promise.withResolvers();
    const { id } = await client.submit(gated, null);
    const watching = start(['watch', id, '--url', server.url]);
    await watching.until(/1 {2}\S+Z {2}submitted/);
    await watching.until(/claimed/);
    gate.resolve();
    await watching.until(/succeeded/);
    expect(await watching.exit).toBe(0);
    const asJson = start(['watch', id, '--url', server.url, '--json']);
    expect(await asJson.exit).toBe(0);
    const events = asJson.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ version }) => version)).toEqual(events.map((_, i) => i + 1));
    expect(events.at(-1)).toMatchObject({ taskId: id, kind: 'succeeded', state: 'succeeded' });
  });

  it('ends with status 1 and the reason if the task dies, and refuses an id beside filters', async () => {
    const { id } = await client.submit(fail, null);
    const watching = start(['watch', id, '--url', server.url]);
    expect(await watching.exit).toBe(1);
    expect(watching.err).toContain(`See why: holdfast why ${id}`);
    const refused = await server.command('watch', id, '--type', 'fail', '--json');
    expect(refused).toMatchObject({ code: 2, json: { error: { reason: 'BAD_FIELD' } } });
  });

  it('without an id shows queues and tasks again and again, and ends in order at Ctrl-C', async () => {
    await client.submit(echo, 'shown');
    const watching = start(['watch', '--url', server.url, '--type', 'echo']);
    await watching.until(/QUEUE +SCHEDULED[\s\S]*\nQUEUE +ID +STATE[\s\S]*echo/);
    await watching.until(/QUEUE +SCHEDULED/);
    watching.signal('SIGINT');
    expect(await watching.exit).toBe(0);
    expect(watching.err).toBe('');
  });
});

describe('holdfast list of all queues', () => {
  it('lists the newest tasks of every queue with key and age, and names queues that have older ones', async () => {
    await client.submit(idle, 0, { idempotencyKey: 'order-7' });
    await client.submit(echo, 'newest', { idempotencyKey: 'order-8' });
    const listed = await server.command('list', '--limit', '2');
    expect(listed.out).toMatch(
      /^QUEUE +ID +STATE +TYPE +KEY +AGE +ATTEMPT +LAST ERROR\nwork .* order-8 +\ds .*\nidle .* order-7 +\ds /,
    );
    expect(listed.err).toMatch(/^There are older tasks in work: holdfast list --queue work\n$/);
    const { json } = await server.command('list', '--state', 'ready', '--json');
    expect(json.tasks.map(({ queue }: { queue: string }) => queue)).toEqual(['idle']);
    expect(json).toMatchObject({ cutQueues: [], nextPageToken: '' });
  });

  it('refuses --page-token and --lane without --queue', async () => {
    for (const flag of [
      ['--page-token', 'x'],
      ['--lane', 'x'],
    ]) {
      const refused = await server.command('list', ...flag, '--json');
      expect(refused).toMatchObject({
        code: 2,
        json: { error: { help: expect.stringContaining('--queue') } },
      });
    }
  });

  it('--follow prints each task once, as it comes into the list, until Ctrl-C', async () => {
    const following = start(['list', '--follow', '--type', 'idle', '--url', server.url, '--json']);
    await following.until(/\n/);
    const ids: string[] = [];
    for (let i = 1; i <= 3; i++) ids.push((await client.submit(idle, i)).id);
    const late = await client.submit(idle, 4, { queue: 'made-later' });
    await following.until(new RegExp(late.id));
    following.signal('SIGINT');
    expect(await following.exit).toBe(0);
    const printed = following.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).id);
    expect(printed.slice(-4)).toEqual([...ids, late.id]);
    expect(new Set(printed).size).toBe(printed.length);
  });
});

describe('holdfast stats', () => {
  it('counts tasks by state, queues and workers', async () => {
    const { json } = await server.command('stats', '--json');
    expect(json).toMatchObject({ workers: 1, paused: 0, counts: { running: 0, atLeast: false } });
    expect(json.queues).toBeGreaterThanOrEqual(2);
    expect(json.counts.ready).toBeGreaterThan(0);
    const text = await server.command('stats', '--queue', 'idle');
    expect(text.out).toMatch(
      /^scheduled +0\nready +\d+\nreserved +0\nrunning +0\ndead +0\nqueues +1\nworkers +0\n$/,
    );
    expect((await server.command('stats', '--queue', 'idel', '--json')).json.error.reason).toBe(
      'QUEUE_UNKNOWN',
    );
  });
});

describe('holdfast submit', () => {
  it('asks the server for the queue whose workers handle the type, and says so', async () => {
    const ran = await server.command('submit', 'echo', '"hi"', '--wait');
    expect(ran).toMatchObject({ code: 0, out: '"hi"\n' });
    expect(ran.err).toContain("queue work, whose workers handle 'echo'");
    const { json } = await server.command('submit', 'nobody-knows', '1', '--json');
    expect(json).toMatchObject({ queue: 'default', state: 'ready' });
  });

  it('refuses a type that workers of several queues handle, unless --queue names one', async () => {
    const handlers = [handle(echo, (input) => input)];
    const other = await client.work(defineWorker({ name: 'other', handlers, queues: ['aside'] }));
    await expect.poll(async () => (await client.workers.list({ queue: 'aside' })).workers.length).toBe(1);
    const refused = await server.command('submit', 'echo', '1', '--json');
    expect(refused).toMatchObject({ code: 2, json: { error: { help: 'Name one of them: --queue aside.' } } });
    expect(refused.json.error.message).toContain('aside, work');
    const named = await server.command('submit', 'echo', '1', '--queue', 'aside', '--wait', '--json');
    expect(named.json).toMatchObject({ queue: 'aside', state: 'succeeded' });
    await other.drain();
  });

  it('has a flag for every option of docs/options.md, and the task has their values', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const deadline = new Date(Date.now() + 7_200_000).toISOString();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const options = ['--key', 'k', '--window', '2d', '--when-dead', 'redrive', '--run-at', runAt];
    const ends = ['--deadline', deadline, '--lifetime', '3d', '--retention', '1d', '--timeout', '90s'];
    const retry = [
      '--attempts',
      '7',
      '--backoff-base',
      '2s',
      '--backoff-factor',
      '1.5',
      '--backoff-max',
      '1m',
    ];
    const rest = [
      '--max-losses',
      '4',
      '--ordering-key',
      'o',
      '--priority',
      'low',
      '--tag',
      'x',
      '--queue',
      'full',
    ];
    const all = [...options, ...ends, ...retry, ...rest, '--type-version', '2', '--traceparent', traceparent];
    const { json } = await server.command('submit', 'later', '{}', ...all, '--json');
    expect(json).toMatchObject({
      ...{
        idempotencyKey: 'k',
        orderingKey: 'o',
        queue: 'full',
        priority: 'low',
        tags: ['x'],
        typeVersion: 2,
      },
      ...{ runAtMs: Date.parse(runAt), maxAttempts: 7, traceparent, state: 'scheduled' },
      options: {
        ...{ whenDead: 'redrive', windowMs: 172_800_000, deadlineAtMs: Date.parse(deadline) },
        ...{ lifetimeMs: 259_200_000, retentionMs: 86_400_000, attemptTimeoutMs: 90_000, maxLosses: 4 },
        retry: { maxAttempts: 7, baseMs: 2_000, factor: 1.5, maxMs: 60_000 },
      },
    });
    expect((await server.command('submit', 'later', '--delay', '1m', '--run-at', runAt, '--json')).code).toBe(
      2,
    );
  });
});
