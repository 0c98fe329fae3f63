import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MovingClock, movingClock } from '../fixtures/moving-clock.ts';
import { holdfast, start } from './command-server.ts';
import { type ExplainedServer, startExplainedServer } from './explained-server.ts';

const dayMs = 86_400_000;
const spec = { type: 'note', typeVersion: 1, payload: { contentType: 'application/json', bytes: btoa('1') } };
let server: ExplainedServer;
let clock: MovingClock;

beforeAll(async () => {
  clock = movingClock();
  server = await startExplainedServer(clock);
});
afterAll(() => server.close());

const command = (...argv: readonly string[]) => server.command(...argv);
const why = async (...argv: readonly string[]) => (await command('why', ...argv, '--json')).json;

async function submit(queue: string, ...more: readonly string[]): Promise<string> {
  const { json } = await command('submit', 'note', '"a"', '--queue', queue, ...more, '--json');
  return json.id;
}

const post = (method: string, request: object) => server.post(method, request);

/** Polls a queue once as a worker for this type, and returns the lease of the task that it got. */
async function poll(queue: string, type = 'note'): Promise<string | undefined> {
  const worker = { workerName: 'crawler', workerId: '7', queues: [queue], types: [{ type }] };
  const { tasks = [] } = await post('WorkerService/ClaimTasks', { ...worker, maxTasks: 1 });
  return tasks[0]?.lease;
}

const fail = (lease: string | undefined, reason: string, more: object = {}) =>
  post('WorkerService/FailTask', { lease, reason: `FAIL_REASON_${reason}`, ...more });
const succeed = (lease: string | undefined) =>
  post('WorkerService/SucceedTask', { lease, result: { contentType: 'application/json', bytes: btoa('1') } });

/** The commands that verdicts have named. */
const named = new Set<string>();

async function verdictOf(id: string) {
  const answer = await why(id);
  if (answer.next !== undefined) named.add(answer.next);
  return answer;
}

describe('holdfast why', () => {
  it('names the handler’s failure and the next attempt of a task in backoff', async () => {
    // The wait is random between 0 and this base, so the base is so long that the next attempt never begins here.
    const retry = { maxAttempts: 5, baseMs: 2_000_000_000, factor: 2, maxMs: 2_000_000_000 };
    const item = { idempotencyKey: 'f-1', spec, options: { retry } };
    const { id } = (await post('TaskService/SubmitTask', { queue: 'failed', item })).task;
    await fail(await poll('failed'), 'RETRY', { message: 'no route to host', errorType: 'ConnectError' });
    const answer = await verdictOf(id);
    expect(answer).toMatchObject({ verdict: 'BACKOFF', evidence: { attempt: '1', worker: 'crawler/7' } });
    expect(answer.untilMs).toBeGreaterThan(answer.atMs);
    expect(answer.timeline.map(({ kind }: { kind: string }) => kind)).toEqual([
      'submitted',
      'claimed',
      'failed',
    ]);
    expect(answer.attempts).toMatchObject([
      { attempt: 1, worker: 'crawler/7', outcome: 'failed', error: 'ConnectError: no route to host' },
    ]);
    const { out } = await command('why', '--queue', 'failed', '--key', 'f-1');
    expect(out).toMatch(/^BACKOFF: Attempt 1 of 5 failed: no route to host\. Attempt 2 begins in .*\.\n/);
    expect(out).toMatch(new RegExp(`^task +${id} \\(queue failed, type note@1, key f-1\\)$`, 'm'));
    expect(out).toMatch(/^ {2}\S+Z +\+\S+ \S+ {2}claimed +attempt 1, by crawler\/7/m);
    expect(out).toMatch(/^ {2}\S+Z .* now$/m);
    expect(out).toMatch(/^1\/5 +crawler\/7 .*failed +ConnectError: no route to host$/m);
    expect(out.split('\n').length).toBeLessThan(30);
  });

  it('names the task before one of the same lane', async () => {
    const first = await submit('lane', '--ordering-key', 'c-17');
    const next = await submit('lane', '--ordering-key', 'c-17');
    await poll('lane', 'other');
    expect(await verdictOf(next)).toMatchObject({ verdict: 'LANE_WAITS', next: `holdfast why ${first}` });
    const lane = await why('--queue', 'lane', '--ordering-key', 'c-17');
    const verdicts = lane.candidates.map((one: { verdict: string; task: { id: string } }) => [
      one.task.id,
      one.verdict,
    ]);
    expect(verdicts).toEqual([
      [first, 'NO_WORKER_FOR_TYPE'],
      [next, 'LANE_WAITS'],
    ]);
  });

  it('names the missing worker of a task that nobody handles, and `holdfast workers` lists the others', async () => {
    const id = await submit('unhandled');
    expect(await verdictOf(id)).toMatchObject({ verdict: 'NO_WORKER', evidence: { queue: 'unhandled' } });
    expect((await command('workers', '--queue', 'unhandled')).out).toBe(
      "No worker of queue 'unhandled' is known.\n",
    );
    await poll('unhandled', 'other');
    const answer = await verdictOf(id);
    expect(answer).toMatchObject({
      verdict: 'NO_WORKER_FOR_TYPE',
      next: "holdfast worker <module with a handler of 'note'>",
      sinceMs: expect.any(Number),
    });
    const { json } = await command('workers', '--queue', 'unhandled', '--json');
    expect(json).toMatchObject({
      incomplete: false,
      workers: [{ name: 'crawler', id: '7', types: ['other'], maxVersions: [1], polls: true, inFlight: 0 }],
    });
    const { out } = await command('workers');
    expect(out).toMatch(/^crawler\/7 +unhandled +other@1 +0 +0 +polls /m);
  });

  it('names the pause of a queue', async () => {
    await command('queues', 'create', 'paused', '--paused');
    const id = await submit('paused');
    const answer = await verdictOf(id);
    expect(answer).toMatchObject({ verdict: 'QUEUE_PAUSED', next: 'holdfast queues resume paused' });
  });

  it('names the snooze of a task that its handler postponed', async () => {
    const id = await submit('snoozed');
    await fail(await poll('snoozed'), 'SNOOZE', { afterMs: 600_000 });
    const { verdict, untilMs, atMs } = await verdictOf(id);
    expect(verdict).toBe('SNOOZED');
    expect(untilMs - atMs).toBeGreaterThan(590_000);
  });

  it('names the last error of a dead task, and the command that runs it again', async () => {
    const id = await submit('dead');
    await fail(await poll('dead'), 'FATAL', { message: 'no such address' });
    expect(await verdictOf(id)).toMatchObject({
      verdict: 'DEAD_FATAL',
      sentence: expect.stringContaining('no such address'),
      next: `holdfast redrive ${id}`,
    });
  });

  it('names the end of a task that has succeeded, and the trace of its submission', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const item = { idempotencyKey: 't', spec, traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const { task } = await post('TaskService/SubmitTask', { queue: 'done', item });
    await succeed(await poll('done'));
    expect(await verdictOf(task.id)).toMatchObject({ verdict: 'SUCCEEDED', traceId });
    expect((await command('why', task.id)).out).toMatch(new RegExp(`^trace +${traceId}$`, 'm'));
  });

  it('finds tasks by the time of their submission, unfinished ones first, and says how many more there are', async () => {
    const items = Array.from({ length: 25 }, (_, i) => ({ idempotencyKey: `k-${i}`, spec }));
    const { results } = await post('TaskService/SubmitTasks', { queue: 'many', items });
    const ended = results[3].id;
    for (let i = 0; i < 4; i++) await succeed(await poll('many'));
    expect((await command('show', ended, '--json')).json.state).toBe('succeeded');
    const { acceptedAtMs } = (await command('show', results[0].id, '--json')).json;
    const at = new Date(acceptedAtMs).toISOString();
    const { code, out, err } = await command('why', '--queue', 'many', '--submitted-at', at);
    expect(code).toBe(0);
    expect(out.split('\n')).toHaveLength(22);
    expect(out).not.toContain(ended);
    expect(err).toBe('25 tasks fit; 20 of them are shown.\nOne of them: holdfast why <id>\n');
    const { json } = await command('why', '--queue', 'many', '--submitted-at', at, '--json');
    expect(json).toMatchObject({ count: 25, isCut: false });
    expect(json.candidates[0]).toMatchObject({ verdict: 'STARTING' });
  });

  it('explains the only task of a time at once, and says which zone it took a time without a zone for', async () => {
    const id = await submit('single');
    const { acceptedAtMs } = (await command('show', id, '--json')).json;
    const local = new Date(acceptedAtMs);
    const two = (value: number) => String(value).padStart(2, '0');
    const time = [local.getHours(), local.getMinutes(), local.getSeconds()].map(two).join(':');
    const date = [local.getFullYear(), two(local.getMonth() + 1), two(local.getDate())].join('-');
    const { out, err } = await command('why', '--queue', 'single', '--submitted-at', time, '--date', date);
    expect(out).toContain(id);
    expect(err).toContain(`this machine's zone, ${new Intl.DateTimeFormat().resolvedOptions().timeZone}`);
    const none = await command('why', '--queue', 'single', '--submitted-at', '2026-01-01T00:00:00Z');
    expect(none.code).toBe(3);
    expect(none.err).toContain("No task of queue 'single' was accepted between 2025-12-31T23:59:59.000Z and");
  });

  it.each([
    [['why'], 'No task is named.'],
    [['why', 'x-1', '--key', 'k'], 'The task is named in several ways.'],
    [['why', 'x-1', '--queue', 'q'], 'An id needs no --queue.'],
    [['why', '--key', 'k', '--date', '2026-07-01'], '--date is given without --submitted-at.'],
    [['why', '--submitted-at', 'ten'], "'ten' is no time."],
  ])('refuses %j', async (argv, message) => {
    const { code, err } = await command(...argv);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });

  it('finds at most 1,000 tasks of a time, and says that there are more', { timeout: 40_000 }, async () => {
    const of = (batch: number) =>
      Array.from({ length: 100 }, (_, i) => ({ idempotencyKey: `${batch}-${i}`, spec }));
    const ids: string[] = [];
    for (let batch = 0; batch < 11; batch++) {
      const { results } = await post('TaskService/SubmitTasks', { queue: 'crowd', items: of(batch) });
      ids.push(results[0].id);
    }
    const { acceptedAtMs } = (await command('show', ids[10] ?? '', '--json')).json;
    const minute = new Date(acceptedAtMs).toISOString().slice(0, 16);
    const { code, err } = await command('why', '--queue', 'crowd', '--submitted-at', `${minute}Z`);
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(/^(At least )?1,\d00 tasks fit; 20 of them are shown\./),
    ]);
  });

  it('does not say whether a task of another tenant exists, by its id, its key, its ordering key or its time', async () => {
    const id = await submit('secret', '--key', 's-1', '--ordering-key', 'lane-1');
    const { acceptedAtMs } = (await command('show', id, '--json')).json;
    const of = ['--tenant', 'acme'] as const;
    const [known, unknown] = [await command('why', id, ...of), await command('why', '1-zzzz', ...of)];
    expect([known.code, known.out.replaceAll(id, '')]).toEqual([
      unknown.code,
      unknown.out.replaceAll('1-zzzz', ''),
    ]);
    expect(known.out).toMatch(/^GONE: There is no such task that you may read/);
    const ways = [
      ['--key', 's-1'],
      ['--ordering-key', 'lane-1'],
      ['--submitted-at', new Date(acceptedAtMs).toISOString()],
    ];
    for (const way of ways) {
      const { code, json } = await command('why', '--queue', 'secret', ...way, ...of, '--json');
      expect([code, json.error.reason], way[0]).toEqual([3, 'TASK_NOT_FOUND']);
    }
  });

  it('refuses a time that the clocks of this machine showed twice, with its zone and both times', async () => {
    const { url } = server;
    const at = ['--submitted-at', '02:30:00', '--date', '2026-10-25', '--url', url];
    const child = start(['why', ...at], { env: { TZ: 'Europe/Berlin' } });
    expect(await child.exit).toBe(2);
    expect(child.err).toContain("02:30:00 came twice on that day in this machine's zone, Europe/Berlin");
    expect(child.err).toContain(
      '--submitted-at 2026-10-25T00:30:00.000Z, or --submitted-at 2026-10-25T01:30:00.000Z',
    );
  });

  it('answers NOT_FOUND for a text that is no id, and for a key without a task', async () => {
    expect((await command('why', 'not-an-id-at-all!')).code).toBe(3);
    const { code, json } = await command('why', '--queue', 'failed', '--key', 'none', '--json');
    expect([code, json.error.help]).toEqual([3, expect.stringMatching(/^Check the queue and the key\. /)]);
  });

  it('names only commands that exist', async () => {
    expect(named.size).toBeGreaterThan(4);
    for (const line of named) {
      const [, ...words] = line.split(' ');
      expect((await holdfast(...words, '--help')).code, line).toBe(0);
    }
  });

  it('names the lost worker of a task that has had no heartbeat, and when the task runs elsewhere', async () => {
    const id = await submit('lost');
    expect(await poll('lost')).toBeDefined();
    expect(await why(id)).toMatchObject({ verdict: 'RUNNING', evidence: { worker: 'crawler/7' } });
    clock.move(13_000);
    const answer = await why(id);
    expect(answer).toMatchObject({ verdict: 'RUNNING_SILENT', evidence: { worker: 'crawler/7' } });
    expect(answer.untilMs - answer.atMs).toBeLessThanOrEqual(17_000);
  });

  it('says that a task is gone after its retention', async () => {
    const id = await submit('gone');
    await succeed(await poll('gone'));
    clock.move(400 * dayMs);
    const { code, out } = await command('why', id);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^GONE: There is no such task that you may read: it was/),
    ]);
    expect(await why(id)).toMatchObject({ verdict: 'GONE', evidence: { id } });
  });
});
