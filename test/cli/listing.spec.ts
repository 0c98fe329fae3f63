/** Tests lists of few tasks behind many others, by the command, the SDK and the HTTP API of a server with a SQLite store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silent } from '../../src/client/log.ts';
import type { Client, RunningWorker } from '../../src/index.ts';
import { connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { type RunningServer, serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { holdfast } from './command-server.ts';

const slow = defineTask('slow', { input: typed<number>(), queue: 'work' });
const parked = defineTask('parked', { input: typed<number>(), queue: 'work' });
const quick = defineTask('quick', { input: typed<number>(), queue: 'work' });
const numbers = (count: number): { input: number }[] =>
  Array.from({ length: count }, (_, input) => ({ input }));

let dir: string;
let serving: RunningServer;
let client: Client;
let worker: RunningWorker;
/** Resolves when three slow tasks run. They run until `end` is resolved. */
const begun = Promise.withResolvers<void>();
const end = Promise.withResolvers<void>();

const list = (...argv: string[]) =>
  holdfast('list', '--url', `holdfast+plaintext://127.0.0.1:${serving.listening.grpcPort}`, ...argv);

async function submitAll(...[task, items]: Parameters<Client['submitMany']>) {
  const outcomes = await client.submitMany(task, items);
  return outcomes.map((outcome) => {
    if (!outcome.ok) throw outcome.error;
    return outcome.task;
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the answer is JSON, and each test names the fields that it expects
async function post(request: object): Promise<any> {
  const answer = await fetch(
    `http://127.0.0.1:${serving.listening.httpPort}/holdfast.v1.TaskService/ListTasks`,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request) },
  );
  return answer.json();
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-listing-'));
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const store = `file:${join(dir, 'queue.db')}`;
  serving = await serve({ store, grpc: free, http: free, clock: systemClock(), log: silentLog });
  client = connect(`holdfast://127.0.0.1:${serving.listening.grpcPort}`, { plaintext: true, log: silent });
  let count = 0;
  const run = (): Promise<void> => {
    if (++count === 3) begun.resolve();
    return end.promise;
  };
  const handlers = [handle(slow, run), handle(quick, () => {})];
  worker = await client.work(defineWorker({ handlers, concurrency: 64 }));
  const rare = numbers(3).map((item) => ({ ...item, tags: ['rare'] }));
  await submitAll(slow, rare);
  await begun.promise;
  await submitAll(parked, numbers(2));
  const finished = await submitAll(quick, numbers(1_500));
  await Promise.all(finished.map((task) => task.result()));
}, 60_000);

afterAll(async () => {
  end.resolve();
  await worker.drain();
  await client.close();
  await serving.close(0);
  rmSync(dir, { recursive: true, force: true });
});

describe('behind 1,500 finished tasks', () => {
  it('holdfast list finds the 3 running and the 2 ready tasks, and tasks by type, tag and time', async () => {
    const found = async (...argv: string[]) => {
      const { tasks, nextPageToken } = (await list('--queue', 'work', '--json', ...argv)).json;
      return [tasks.map((task: { type: string }) => task.type), nextPageToken];
    };
    const [running, ready] = [
      ['slow', 'slow', 'slow'],
      ['parked', 'parked'],
    ];
    expect(await found('--state', 'running')).toEqual([running, '']);
    expect(await found('--state', 'ready')).toEqual([ready, '']);
    expect(await found('--type', 'parked')).toEqual([ready, '']);
    expect(await found('--tag', 'rare')).toEqual([running, '']);
    expect(await found('--tag', 'rare', '--state', 'succeeded')).toEqual([[], '']);
    const { acceptedAt } = (await client.list({ queue: 'work', state: 'ready' })).tasks[1] ?? {};
    const before = ['--accepted-until', acceptedAt?.toISOString() ?? ''];
    expect(await found('--type', 'parked', ...before)).toEqual([[], '']);
    expect(await found('--state', 'running', ...before)).toEqual([running, '']);
    const text = await list('--queue', 'work', '--type', 'slow');
    expect(text.out.match(/ running +slow /g)).toHaveLength(3);
    expect(text.err).toBe('');
  });

  it('client.list finds the same tasks, and says how many were examined', async () => {
    const running = await client.list({ queue: 'work', state: 'running' });
    expect(running.tasks.map(({ type }) => type)).toEqual(['slow', 'slow', 'slow']);
    expect(running).toMatchObject({ nextPageToken: undefined, examined: 3, isCut: false });
    const ready = await client.list({ queue: 'work', state: 'ready' });
    expect(ready.tasks.map(({ type }) => type)).toEqual(['parked', 'parked']);
    const byTag = await client.list({ queue: 'work', tag: 'rare', limit: 2 });
    expect(byTag).toMatchObject({
      tasks: [{ type: 'slow' }, { type: 'slow' }],
      examined: 1_504,
      isCut: false,
    });
    expect(byTag.examinedUntil).toEqual(byTag.tasks[1]?.acceptedAt);
    const rest = await client.list({ queue: 'work', tag: 'rare', pageToken: byTag.nextPageToken ?? '' });
    expect([rest.tasks.length, rest.nextPageToken]).toEqual([1, undefined]);
  });

  it('one HTTP call finds the running and the ready tasks; another filter may need several calls, and each says how far it looked', async () => {
    expect((await post({ queue: 'work', state: 'TASK_STATE_RUNNING' })).tasks).toHaveLength(3);
    expect((await post({ queue: 'work', state: 'TASK_STATE_READY' })).tasks).toHaveLength(2);
    const first = await post({ queue: 'work', tag: 'rare' });
    expect(first).toMatchObject({ examined: 1_000, nextPageToken: expect.stringMatching(/./) });
    expect(first.tasks).toBeUndefined();
    expect(Date.now() - Number(first.examinedUntilMs)).toBeLessThan(120_000);
    const second = await post({ queue: 'work', tag: 'rare', pageToken: first.nextPageToken });
    expect([second.tasks.length, second.examined, second.nextPageToken]).toEqual([3, 505, undefined]);
  });
});

describe('behind more than 20,000 tasks', () => {
  const goOn = 'Go on with that token, or choose a time span with --accepted-from and --accepted-until.';

  it('holdfast list says how far it looked and how to go on, and prints no empty table', async () => {
    const many = defineTask('many', { input: typed<number>(), queue: 'many' });
    await submitAll(many, [{ input: 0, tags: ['rare'] }]);
    for (let i = 0; i < 5; i++) await submitAll(many, numbers(4_100));
    await submitAll(many, [{ input: 0, tags: ['common'] }]);
    const argv = ['--queue', 'many', '--tag'];
    const { json } = await list(...argv, 'rare', '--json');
    expect(json).toMatchObject({ tasks: [], examined: 20_000, isCut: true });
    const until = new Date(json.examinedUntilMs).toISOString();
    const cut = await list(...argv, 'rare');
    expect(cut).toMatchObject({
      code: 0,
      out: `No such task among 20,000 tasks accepted at ${until} or later. Older tasks were not examined.\n`,
      err: `more: --page-token ${json.nextPageToken}\n${goOn}\n`,
    });
    const rest = await list(...argv, 'rare', '--page-token', json.nextPageToken);
    expect([rest.out.match(/ many /g)?.length, rest.err]).toEqual([1, '']);
    const common = await list(...argv, 'common');
    expect(common.out.match(/ many /g)).toHaveLength(1);
    expect(common.err).toBe(
      `Only 20,000 tasks accepted at ${until} or later were examined.\nmore: --page-token ${json.nextPageToken}\n${goOn}\n`,
    );
    const bySdk = await client.list({ queue: 'many', tag: 'rare' });
    expect(bySdk).toMatchObject({ tasks: [], examined: 20_000, isCut: true, examinedUntil: new Date(until) });
  }, 60_000);
});

it.each(['yesterday', '2026-07-01T12:00:00', '2026-13-01'])(
  'a list of the tasks accepted until %s is refused before anything is sent',
  async (text) => {
    expect(await list('--accepted-until', text, '--json')).toMatchObject({
      code: 2,
      json: { error: { code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' } },
    });
  },
);
