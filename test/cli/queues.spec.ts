/** Tests the verbs that operate queues and workers, and the same by the SDK and over HTTP. */
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

const doomed = defineTask('doomed', { input: typed<number>(), queue: 'mail' });

let server: ExplainedServer;
let client: Client;
let worker: RunningWorker;

beforeAll(async () => {
  server = await startExplainedServer(systemClock());
  client = connect(server.url, { log: silent });
  const fail = handle(doomed, () => {
    throw new FatalError('no such address');
  });
  worker = await client.work(defineWorker({ name: 'mailer', handlers: [fail] }));
});
afterAll(async () => {
  await worker.drain();
  await client.close();
  await server.close();
});

/** Submits tasks that die, and returns their ids once they are dead. */
async function die(count: number, tags: readonly string[] = []): Promise<string[]> {
  const items = Array.from({ length: count }, (_, input) => ({ input, tags }));
  const outcomes = await client.submitMany(doomed, items);
  const tasks = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.task] : []));
  await Promise.allSettled(tasks.map((task) => task.result()));
  return tasks.map(({ id }) => id);
}

describe('holdfast queues', () => {
  it('list and show print the settings, the pause with its reason and end, and the counts', async () => {
    await server.command('queues', 'create', 'bulk');
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const paused = await server.command(
      'queues',
      'pause',
      'bulk',
      '--reason',
      'a migration',
      '--until',
      until,
    );
    expect(paused).toMatchObject({ code: 0, err: '' });
    expect(paused.out).toContain(`bulk: paused until ${until} since `);
    expect(paused.out).toMatch(/ by \S+ \(a migration\), on dead release\n$/);
    const shown = await server.command('queues', 'show', 'bulk', '--json');
    expect(shown.json).toMatchObject({
      name: 'bulk',
      paused: true,
      pause: { reason: 'a migration', untilMs: Date.parse(until) },
      counts: { ready: 0, atLeast: false },
    });
    const listed = await server.command('queues', 'list');
    expect(listed.out).toMatch(/^QUEUE +SCHEDULED +READY .*\nbulk .*\(a migration\)\n/);
    expect((await server.command('queues', 'resume', 'bulk')).out).toBe(
      'bulk: not paused, on dead release\n',
    );
  });

  it('set changes the on-dead rule, and an unknown rule is refused with the known ones', async () => {
    await server.command('queues', 'create', 'lanes');
    const set = await server.command('queues', 'set', 'lanes', '--on-dead', 'hold');
    expect(set.out).toBe('lanes: not paused, on dead hold\n');
    const refused = await server.command('queues', 'set', 'lanes', '--on-dead', 'drop', '--json');
    expect(refused).toMatchObject({ code: 2, json: { error: { reason: 'BAD_FIELD' } } });
    expect(refused.json.error.message).toContain('release, hold');
  });

  it.each([
    ['yesterday', "such as '30m' or '2h'"],
    ['2h30', "such as '30m' or '2h'"],
    ['2001-01-01', 'a time to come'],
    ['2900-01-01', 'at most 365 d ahead'],
  ])('pause --until %s is refused in words', async (text, words) => {
    await server.command('queues', 'create', 'bulk');
    const refused = await server.command('queues', 'pause', 'bulk', '--until', text, '--json');
    expect(refused).toMatchObject({ code: 2, json: { error: { code: 'INVALID_ARGUMENT' } } });
    expect(refused.json.error.message).toContain(words);
    expect((await client.queues.get('bulk')).paused).toBe(false);
  });

  it('are read and changed by client.queues and over HTTP with the same names', async () => {
    await client.queues.create('same', { onDead: 'hold' });
    const until = new Date(Date.now() + 60_000);
    const bySdk = await client.queues.pause('same', { reason: 'inventory', until });
    expect(bySdk).toMatchObject({ name: 'same', onDead: 'hold', pause: { reason: 'inventory', until } });
    const { queue } = await server.post('AdminService/GetQueue', { name: 'same' });
    expect(queue.pause).toMatchObject({ reason: 'inventory', untilMs: `${until.getTime()}` });
    const again = { name: 'same', reason: 'still' };
    const paused = (await server.post('AdminService/PauseQueue', again)).queue.pause;
    expect(paused).toMatchObject({ reason: 'still', sinceMs: `${bySdk.pause?.since.getTime()}` });
    expect(paused.untilMs).toBeUndefined();
    expect((await client.queues.resume('same')).pause).toBeUndefined();
    expect((await client.queues.list()).map(({ name }) => name)).toContain('same');
    expect(await client.queues.set('same', { onDead: 'release' })).toMatchObject({ onDead: 'release' });
  });
});

describe('holdfast workers', () => {
  it('list names each worker with its types, as client.workers.list and `holdfast workers` do', async () => {
    const { json } = await server.command('workers', 'list', '--queue', 'mail', '--json');
    expect(json).toMatchObject({
      workers: [{ name: 'mailer', types: ['doomed'], maxVersions: [1], queues: ['mail'] }],
      incomplete: false,
    });
    const { workers } = await client.workers.list({ queue: 'mail' });
    expect(workers).toMatchObject([{ name: 'mailer', types: ['doomed'], maxVersions: [1] }]);
    expect((await server.command('workers')).out).toContain('mailer/');
  });
});

describe('holdfast redrive', () => {
  it('--queue runs all matching dead tasks again, and with --dry-run only counts them', async () => {
    await die(3, ['first']);
    await die(2);
    const match = ['redrive', '--queue', 'mail', '--tag', 'first'];
    expect(await server.command(...match, '--dry-run')).toMatchObject({
      code: 0,
      out: '3 dead tasks would run again\n',
      err: 'Nothing was changed (--dry-run).\n',
    });
    expect(await client.redrive({ queue: 'mail', tag: 'first', dryRun: true })).toMatchObject({
      matched: 3,
      redriven: 0,
      nextPageToken: undefined,
    });
    const done = await server.command(...match, '--type', 'doomed', '--since', '1h', '--json');
    expect(done.json).toMatchObject({ matched: 3, redriven: 3, refused: 0, dryRun: false });
    const none = await server.command(...match, '--until', '1h');
    expect(none.out).toBe('0 dead tasks matched, 0 run again\n');
  });

  it('refuses a command line without a task, with both ids and filters, or with an unknown queue', async () => {
    const refused = async (...argv: string[]) =>
      (await server.command('redrive', ...argv, '--json')).json.error;
    expect((await refused()).help).toContain('holdfast redrive --queue <name> --dry-run');
    expect((await refused('1-a', '--queue', 'mail')).message).toContain('given together');
    expect((await refused('--queue', 'mial', '--dry-run')).help).toContain("Did you mean 'mail'?");
  });

  it('takes the ids of the output of `holdfast list` on standard input, and names those that fail', async () => {
    const [dead = ''] = await die(1);
    const listed = await server.command('list', '--queue', 'mail', '--state', 'dead', '--limit', '1');
    const redriven = start(['redrive', '-', '--url', server.url], { input: listed.out });
    expect(await redriven.exit).toBe(0);
    expect(redriven.out).toMatch(/^\d+-\w+ \w+\n$/);
    const input = `${dead}\n1-unknown\n`;
    const mixed = start(['cancel', '-', '--url', server.url, '--json'], { input });
    expect(await mixed.exit).not.toBe(0);
    const json = JSON.parse(mixed.out);
    expect(json).toMatchObject({ failed: expect.any(Number), error: { taskId: expect.any(String) } });
    expect(json.errors.at(-1)).toMatchObject({ taskId: '1-unknown' });
    const nothing = start(['cancel', '-', '--url', server.url], { input: '\n' });
    expect(await nothing.exit).toBe(2);
    expect(nothing.err).toContain('Standard input has no task id.');
  });
});
