/** Tests the verbs that call a server over mutual TLS: their text, their JSON and their exit status. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initAuthority } from '../../src/certs/authority.ts';
import { issue } from '../../src/certs/issue.ts';
import { silent } from '../../src/client/log.ts';
import {
  connect,
  defineTask,
  defineWorker,
  FatalError,
  handle,
  type RunningWorker,
  typed,
} from '../../src/index.ts';
import { type RunningServer, serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { holdfast, start } from './command-server.ts';

const echo = defineTask('echo', { input: typed<string>(), output: typed<string>(), queue: 'work' });
const fail = defineTask('fail', { input: typed<unknown>(), queue: 'work' });

let dir: string;
let serving: RunningServer;
let running: RunningWorker;
let client: ReturnType<typeof connect>;
const before = { ...process.env };

async function use(name: string): Promise<void> {
  const { ca, cert, key } = await issue(dir, { name, kind: 'client' }, Date.now());
  Object.assign(process.env, { HOLDFAST_CA: ca, HOLDFAST_CERT: cert, HOLDFAST_KEY: key });
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-verbs-'));
  await initAuthority(dir, Date.now());
  const tls = await issue(dir, { name: 'server', kind: 'server' }, Date.now());
  const policyFile = join(dir, 'policy.json');
  writeFileSync(
    policyFile,
    JSON.stringify({ rules: [{ identity: '*/reader', verbs: ['read'] }, { identity: '*/all' }] }),
  );
  serving = await serve({
    store: `file:${join(dir, 'queue.db')}`,
    grpc: { host: '127.0.0.1', port: 0, tls },
    auth: { policyFile },
    clock: systemClock(),
    log: silentLog,
  });
  process.env.HOLDFAST_URL = `holdfast://127.0.0.1:${serving.listening.grpcPort}`;
  await use('all');
  client = connect(undefined, { log: silent });
  running = await client.work(
    defineWorker({
      handlers: [
        handle(echo, (input) => input),
        handle(fail, () => {
          throw new FatalError('it never works');
        }),
      ],
    }),
  );
});
afterAll(async () => {
  await running.drain();
  await client.close();
  await serving.close(0);
  process.env = before;
  rmSync(dir, { recursive: true, force: true });
});

const work = ['--queue', 'work'];

describe('holdfast submit', () => {
  it('prints the id and state of the new task, and for a repeated key the same task', async () => {
    const first = await holdfast('submit', 'later', '{"a":1}', '--key', 'k1');
    expect(first).toMatchObject({ code: 0 });
    expect(first.err).toBe(
      "No worker for 'later' of queue 'default' is known (a worker that has just started may not be known yet). The task waits until a worker takes it.\n",
    );
    expect(first.out).toMatch(/^1-\w+ ready\n$/);
    const id = first.out.split(' ')[0];
    const again = await holdfast('submit', 'later', '{"a":1}', '--key', 'k1', '--json');
    expect(again.json).toMatchObject({ id, idempotencyKey: 'k1', state: 'ready', deduplicated: true });
    expect((await holdfast('submit', 'later', '{"a":1}', '--key', 'k1')).out).toBe(
      `${id} deduplicated ready\n`,
    );
  });

  it('ends with status 4 and names the task if its key is used for another request', async () => {
    const first = await holdfast('submit', 'later', '1', '--key', 'k2', '--json');
    const other = await holdfast('submit', 'later', '2', '--key', 'k2', '--json');
    expect(other).toMatchObject({
      code: 4,
      json: { error: { reason: 'KEY_REUSED', taskId: first.json.id } },
    });
    const plain = await holdfast('submit', 'later', '2', '--key', 'k2');
    expect(plain).toMatchObject({ code: 4, out: '' });
    expect(plain.err).toMatch(/^error: .*'k2'.*\n {2}Use another key/);
  });

  it('prints only the result on standard output with --wait', async () => {
    const ran = await holdfast('submit', 'echo', '{"b":[2]}', '--wait', ...work);
    expect(ran).toMatchObject({ code: 0, out: '{"b":[2]}\n' });
    expect(ran.err).toMatch(/^\S+ (ready|reserved|running)\n$/);
    const asJson = await holdfast('submit', 'echo', '7', '--wait', '--json', ...work);
    expect(asJson).toMatchObject({ code: 0, err: '', json: { state: 'succeeded', result: 7 } });
  });

  it('prints the error with advice, and ends with status 1, if the awaited task dies', async () => {
    const ran = await holdfast('submit', 'fail', '--wait', ...work);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(
      /error: .*dead \(reason: fatal\): it never works\n {2}See why: holdfast why \S+\n/,
    );
    const asJson = await holdfast('submit', 'fail', '--wait', '--json', ...work);
    expect(asJson).toMatchObject({ code: 1, json: { error: { reason: 'TASK_DEAD' } } });
  });

  it('takes the payload from a file or from standard input, or null without one', async () => {
    writeFileSync(join(dir, 'payload.json'), '{"from":"file"}');
    const file = await holdfast('submit', 'echo', `@${join(dir, 'payload.json')}`, '--wait', ...work);
    expect(file.out).toBe('{"from":"file"}\n');
    const piped = start(['submit', 'echo', '-', '--wait', ...work], { input: '{"from":"pipe"}' });
    expect(await piped.exit).toBe(0);
    expect(piped.out).toBe('{"from":"pipe"}\n');
    expect((await holdfast('submit', 'echo', '--wait', ...work)).out).toBe('null\n');
  });

  it('takes options for delay, deadline, priority, tags, attempts, ordering key and type version', async () => {
    const options = ['--delay', '1h', '--deadline', '2h', '--priority', 'high', '--tag', 'a', '--tag', 'b'];
    const more = ['--attempts', '3', '--ordering-key', 'lane-1', '--type-version', '2'];
    const { json } = await holdfast('submit', 'later', '{}', '--json', ...options, ...more);
    expect(json).toMatchObject({ state: 'scheduled', maxAttempts: 3, orderingKey: 'lane-1', typeVersion: 2 });
    expect(json.runAtMs - json.acceptedAtMs).toBe(3_600_000);
    for (const tag of ['a', 'b']) {
      const { json: page } = await holdfast('list', '--tag', tag, '--json');
      expect(page.tasks).toMatchObject([{ id: json.id }]);
    }
    const { out } = await holdfast('show', json.id);
    expect(out).toMatch(/^state +scheduled$/m);
    expect(out).toMatch(/^ordering key +lane-1$/m);
  });

  it('takes one value for each --tag, so that the payload may follow the flag', async () => {
    const { json } = await holdfast('submit', 'later', '--tag', 'a', '{"name":"x"}', '--json');
    expect((await holdfast('show', json.id, '--json')).json).toMatchObject({ input: { name: 'x' } });
  });

  it('ends with status 130 at Ctrl-C, and says that the task goes on', async () => {
    const waiting = start(['submit', 'later', '1', '--wait']);
    const [id] = await waiting.until(/\S+(?= ready\n)/);
    waiting.signal('SIGINT');
    expect(await waiting.exit).toBe(130);
    expect(waiting.err).toContain(`The task goes on. To see it: holdfast show ${id}`);
  });
});

describe('holdfast show', () => {
  it('prints the state of a task, and its events with --history', async () => {
    const { json } = await holdfast('submit', 'echo', '{"c":3}', '--wait', '--json', ...work);
    const plain = await holdfast('show', json.id);
    expect(plain.out).toMatch(/^id +\S+\n/);
    expect(plain.out).toMatch(/^input +\{"c":3\}$/m);
    expect(plain.out).toMatch(/^result +\{"c":3\}$/m);
    expect(plain.out).not.toContain('submitted');
    const history = await holdfast('show', json.id, '--history');
    expect(history.out).toMatch(
      /1 {2}\S+Z {2}submitted\n +2 {2}\S+Z {2}claimed .*\n +3 {2}\S+Z {2}succeeded/,
    );
    const asJson = await holdfast('show', json.id, '--history', '--json');
    expect(asJson.json).toMatchObject({ id: json.id, state: 'succeeded', input: { c: 3 } });
    const fencingToken = asJson.json.fencingToken;
    expect(asJson.json.history).toMatchObject([
      { version: 1, kind: 'submitted' },
      { version: 2, kind: 'claimed', attempt: 1, fencingToken: fencingToken },
      { version: 3, kind: 'succeeded', fencingToken: fencingToken },
    ]);
    expect(asJson.out).not.toContain('$typeName');
    const died = await holdfast('submit', 'fail', '--key', 'dies', '--wait', '--json', ...work);
    const { json: dead } = await holdfast('show', died.json.error.taskId, '--history', '--json');
    expect(dead.history.at(-1)).toMatchObject({ kind: 'died', deadReason: 'fatal', errorType: 'FatalError' });
  });

  it('ends with status 3 for an unknown id', async () => {
    expect(await holdfast('show', '999-abc', '--json')).toMatchObject({
      code: 3,
      json: { error: { reason: 'TASK_NOT_FOUND' } },
    });
    expect((await holdfast('show', '999-abc')).err).toMatch(/^error: .*999-abc/);
  });
});

describe('holdfast list', () => {
  it('filters tasks by state, type, tag and lane, and prints the next page with --page-token', async () => {
    for (const i of [1, 2, 3]) {
      const lane = ['--ordering-key', 'l', '--tag', `t${i}`, '--queue', 'listed'];
      await holdfast('submit', i === 3 ? 'other' : 'item', `${i}`, ...lane);
    }
    const list = async (...argv: string[]): Promise<unknown[]> =>
      (await holdfast('list', '--queue', 'listed', '--json', ...argv)).json.tasks.map(
        (task: { payload: unknown; type: string }) => task.type,
      );
    expect(await list()).toEqual(['other', 'item', 'item']);
    expect(await list('--type', 'item')).toEqual(['item', 'item']);
    expect(await list('--tag', 't3')).toEqual(['other']);
    expect(await list('--state', 'dead')).toEqual([]);
    expect(await list('--lane', 'l')).toEqual(['item', 'item', 'other']);
    const page = await holdfast('list', '--queue', 'listed', '--limit', '2');
    expect(page.out).toMatch(/^ID +STATE +TYPE +KEY +AGE +ATTEMPT +LAST ERROR\n/);
    expect(page.out).not.toContain('page-token');
    const pageToken = /^more: --page-token (\S+)$/m.exec(page.err)?.[1] as string;
    expect(await list('--limit', '2', '--page-token', pageToken)).toEqual(['item']);
  });

  it('ends with status 3 for a list of an unknown queue, and suggests a similar name', async () => {
    await holdfast('submit', 'echo', '1', '--wait', ...work);
    const unknown = await holdfast('list', '--queue', 'wrok');
    expect(unknown).toMatchObject({ code: 3, out: '' });
    expect(unknown.err).toMatch(/There is no queue 'wrok' for tenant 'default'\.\n +Did you mean 'work'\?/);
    expect(await holdfast('list', '--queue', 'wrok', '--json')).toMatchObject({
      code: 3,
      json: { error: { reason: 'QUEUE_UNKNOWN' } },
    });
    expect(await holdfast('list', '--type', 'none', ...work)).toMatchObject({ code: 0, err: '' });
  });

  it('suggests a similar name if a submission creates a queue, and suggests none once the queue exists', async () => {
    await holdfast('submit', 'echo', '1', '--queue', 'letters');
    const misspelt = ['submit', 'echo', '1', '--queue', 'lettres'];
    expect((await holdfast(...misspelt)).err).toContain("Queue 'lettres' is new; did you mean 'letters'?\n");
    expect((await holdfast(...misspelt)).err).not.toContain('is new');
    const other = await holdfast('submit', 'echo', '1', '--queue', 'something-else');
    expect(other.err).not.toContain('is new');
  });

  it('prints dead tasks with their last error', async () => {
    await holdfast('submit', 'fail', '--wait', ...work);
    const { out } = await holdfast('list', '--state', 'dead', ...work);
    expect(out).toMatch(/ dead +fail +\S+ +\ds +1\/5 .*it never works/);
  });
});

describe('holdfast cancel and redrive', () => {
  it('cancel ends a waiting task, and ends with status 4 for a task that has ended', async () => {
    const { json } = await holdfast('submit', 'later', '1', '--json');
    expect(await holdfast('cancel', json.id, '--reason', 'a typo')).toMatchObject({
      code: 0,
      out: `${json.id} cancelled\n`,
    });
    expect((await holdfast('show', json.id, '--history')).out).toMatch(/cancelled +.*a typo.*requested by/);
    const { json: done } = await holdfast('submit', 'echo', '1', '--wait', '--json', ...work);
    expect(await holdfast('cancel', done.id, '--json')).toMatchObject({
      code: 4,
      json: {
        error: {
          ...{ reason: 'TASK_ENDED', taskId: done.id },
          help: `Its history says how it ended: holdfast show ${done.id} --history`,
        },
      },
    });
    expect(await holdfast('redrive', done.id, '--json')).toMatchObject({
      code: 4,
      json: { error: { reason: 'NOT_DEAD', help: expect.stringContaining('submit it under another key') } },
    });
  });

  it('redrive runs a dead task again, and ends with status 4 for a task that is not dead', async () => {
    await holdfast('submit', 'fail', '--wait', '--key', 'dead-1', ...work);
    const { json } = await holdfast('submit', 'fail', '--key', 'dead-1', '--json', ...work);
    const retried = await holdfast('redrive', json.id);
    expect(retried.code).toBe(0);
    expect(retried.out).toMatch(new RegExp(`^${json.id} (ready|scheduled)\n$`));
    const { json: waiting } = await holdfast('submit', 'later', '5', '--json');
    expect(await holdfast('redrive', waiting.id, '--json')).toMatchObject({
      code: 4,
      json: { error: { reason: 'NOT_DEAD', help: expect.stringContaining(`holdfast why ${waiting.id}`) } },
    });
  });
});

describe('the command without permission or without a server', () => {
  it('ends with status 6 if the policy denies the call', async () => {
    await use('reader');
    expect((await holdfast('list')).code).toBe(0);
    const denied = await holdfast('submit', 'later', '1');
    expect(denied).toMatchObject({ code: 6, out: '' });
    expect(denied.err).toMatch(/^error: .*\n {2}\S/);
    expect(await holdfast('cancel', '1-a', '--json')).toMatchObject({
      code: 6,
      json: { error: { code: 'PERMISSION_DENIED', reason: 'DENIED' } },
    });
    await use('all');
  });

  it('takes the certificates of --tls-ca, --tls-cert and --tls-key, and refuses a part of them', async () => {
    const reader = await issue(dir, { name: 'flagged', kind: 'client' }, Date.now());
    const flags = ['--tls-ca', reader.ca, '--tls-cert', reader.cert];
    const denied = await holdfast('list', ...flags, '--tls-key', reader.key, '--json');
    expect(denied).toMatchObject({ code: 6, json: { error: { reason: 'DENIED' } } });
    const partly = await holdfast('queues', 'list', ...flags, '--json');
    expect(partly).toMatchObject({ code: 2, json: { error: { reason: 'BAD_FIELD' } } });
    expect(partly.json.error.message).toContain('--tls-key is missing');
  });

  it('ends with status 5 if no server answers', async () => {
    const away = await holdfast('list', '--url', 'holdfast://127.0.0.1:1', '--json');
    expect(away).toMatchObject({ code: 5, json: { error: { reason: 'UNREACHABLE' } } });
    expect((await holdfast('--url=holdfast://127.0.0.1:1', 'show', '1-a')).err).toMatch(
      /^error: .*127.0.0.1:1/,
    );
  });
});

describe('holdfast queues', () => {
  it('refuses a mistyped queue with the nearest name and the command that creates it, and creates nothing', async () => {
    await holdfast('submit', 'later', '1', ...work);
    for (const verb of [['pause'], ['resume'], ['set', '--on-dead', 'hold']]) {
      const refused = await holdfast('queues', ...verb, 'wrok', '--json');
      expect(refused).toMatchObject({ code: 3, json: { error: { reason: 'QUEUE_UNKNOWN' } } });
      expect(refused.json.error.help).toBe(
        "Did you mean 'work'? To create it: `holdfast queues create wrok`.",
      );
    }
    expect((await holdfast('list', '--queue', 'wrok')).err).toContain("no queue 'wrok'");
  });

  it('creates a queue before its first submission, and pauses, resumes and changes it', async () => {
    const created = await holdfast('queues', 'create', 'nightly', '--on-dead', 'hold', '--paused', '--json');
    const queue = { tenant: 'default', name: 'nightly' };
    expect(created).toMatchObject({ code: 0, json: { ...queue, paused: true, onDead: 'hold' } });
    expect((await holdfast('queues', 'resume', 'nightly')).out).toBe('nightly: not paused, on dead hold\n');
    expect((await holdfast('queues', 'pause', 'nightly')).out).toMatch(
      /^nightly: paused since \S+ by \S+\/all, on dead hold\n$/,
    );
    const updated = await holdfast('queues', 'set', 'nightly', '--on-dead', 'release', '--json');
    expect(updated.json).toMatchObject({ ...queue, paused: true, onDead: 'release' });
    expect((await holdfast('queues', 'set', 'nightly')).code).toBe(2);
  });
});
