import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MovingClock, movingClock } from '../fixtures/moving-clock.ts';
import { holdfast } from './command-server.ts';
import { type ExplainedServer, startExplainedServer } from './explained-server.ts';

const payload = { contentType: 'application/json', bytes: btoa('1') };
const isoTime = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z';
let server: ExplainedServer;
let clock: MovingClock;

beforeAll(async () => {
  clock = movingClock();
  server = await startExplainedServer(clock);
});
afterAll(() => server.close());

const command = (...argv: readonly string[]) => server.command(...argv);

const post = (method: string, request: object) => server.post(method, request);

async function submitMany(
  queue: string,
  count: number,
  spec: object = {},
  options?: object,
): Promise<string[]> {
  const items = Array.from({ length: count }, (_, i) => ({
    idempotencyKey: `${JSON.stringify(spec)}-${i}`,
    spec: { type: 'pdf', typeVersion: 1, payload, ...spec },
    options,
  }));
  const { results } = await post('TaskService/SubmitTasks', { queue, items });
  return results.map(({ id }: { id: string }) => id);
}

async function poll(queue: string, type = 'pdf', maxTasks = 1): Promise<{ taskId: string; lease: string }[]> {
  const worker = { workerName: 'crawler', workerId: '7', queues: [queue], types: [{ type, maxVersion: 2 }] };
  const { tasks = [] } = await post('WorkerService/ClaimTasks', { ...worker, maxTasks });
  return tasks;
}

const verdicts = ({ groups }: { groups: { verdict: string; count: number }[] }) =>
  groups.map(({ verdict, count }) => [verdict, count]);

describe('holdfast trouble', () => {
  it('says that there is none, with the status 0, and counts the tasks that wait for their time', async () => {
    await command('queues', 'create', 'calm');
    await submitMany('calm', 2, {}, { delayMs: 600_000 });
    const { code, out, err } = await command('trouble', '--queue', 'calm');
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      'No unfinished task that was examined is in trouble.\nhealthy: 2 NOT_DUE (tasks: 2 examined, 2 unfinished)\n',
    );
  });

  it('groups the tasks of a type whose version no worker handles, names the oldest ones and ends with status 0', async () => {
    await poll('mail');
    const old = await submitMany('mail', 1, { typeVersion: 3 });
    clock.move(2);
    await submitMany('mail', 41, { typeVersion: 3, orderingKey: '' });
    const { code, out, err } = await command('trouble', '--queue', 'mail');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      new RegExp(
        `^NO_WORKER_FOR_VERSION: 42 tasks of type 'pdf' wait: no worker handles version 3 \\(the newest handled is 2\\)\\.
  since ${isoTime}; oldest ${old[0]}, \\S+, \\S+; next: holdfast workers --queue mail
healthy: none \\(tasks: 42 examined, 42 unfinished\\)
$`,
      ),
    );
  });

  it('names the lane that a dead task holds, the silent worker and the failures, in all queues together', async () => {
    await post('AdminService/UpdateQueue', { name: 'lanes', onDead: 'ON_DEAD_HOLD', create: true });
    const [front] = await submitMany('lanes', 3, { orderingKey: 'c-17' });
    const [claimed] = await poll('lanes');
    await post('WorkerService/FailTask', {
      lease: claimed?.lease,
      reason: 'FAIL_REASON_FATAL',
      message: 'no',
    });
    // The wait is random between 0 and this base, so the base is so long that the next attempt never begins here.
    const retry = { maxAttempts: 5, baseMs: 2_000_000_000, factor: 2, maxMs: 2_000_000_000 };
    await submitMany('failing', 2, {}, { retry });
    for (const { lease } of await poll('failing', 'pdf', 10))
      await post('WorkerService/FailTask', {
        lease,
        reason: 'FAIL_REASON_RETRY',
        message: 'no route to host',
      });
    const silent = await submitMany('silent', 3);
    expect(await poll('silent', 'pdf', 10)).toHaveLength(3);
    await command('queues', 'create', 'closed', '--paused');
    const lane = (await command('trouble', '--queue', 'lanes', '--json')).json;
    expect(lane.groups).toMatchObject([
      {
        ...{ verdict: 'LANE_HELD_BY_DEAD', count: 2, next: `holdfast redrive ${front}`, queue: 'lanes' },
        sentence: `Lane 'c-17' of queue 'lanes' is held by dead task ${front}: 2 tasks wait.`,
        evidence: { blockedByTaskId: front, orderingKey: 'c-17' },
      },
    ]);
    expect((await command('trouble', '--queue', 'failing', '--json')).json.groups[0]).toMatchObject({
      ...{ verdict: 'BACKOFF', count: 2 },
      sentence: "2 tasks of type 'pdf' failed and wait for a next attempt: no route to host.",
    });
    clock.move(13_000);
    const all = await command('trouble', '--json');
    expect(verdicts(all.json)).toEqual(
      expect.arrayContaining([
        ['NO_WORKER_FOR_VERSION', 42],
        ['RUNNING_SILENT', 3],
        ['LANE_HELD_BY_DEAD', 2],
        ['QUEUE_PAUSED', 0],
      ]),
    );
    const running = all.json.groups.find(({ verdict }: { verdict: string }) => verdict === 'RUNNING_SILENT');
    expect([...running.oldestIds].sort()).toEqual(silent.sort());
    expect(running.sentence).toMatch(
      /^3 tasks are held by worker crawler\/7, which has sent no heartbeat for up to 13(\.\d)? s\.$/,
    );
    expect(all.json).toMatchObject({ isComplete: true, cutQueues: [], areReadsBilled: false });
    expect(all.json.areWorkersComplete).toBe(true);
    const { out } = await command('trouble');
    expect(out).toMatch(/^QUEUE_PAUSED: Queue 'closed' was paused .* ago by \S.*: 0 tasks wait\.$/m);
    expect(out.split('\n').length).toBeLessThan(30);
  });

  it('names only commands that exist', async () => {
    const { groups } = (await command('trouble', '--json')).json;
    expect(groups.length).toBeGreaterThan(3);
    for (const { next } of groups) {
      const [, ...words] = String(next).split(' ');
      expect((await holdfast(...words, '--help')).code, next).toBe(0);
    }
  });

  it('says which tasks it did not examine, and names no read units of a store that has none', async () => {
    for (let i = 0; i < 21; i++) await submitMany('long', 100, { type: `t-${i % 60}` });
    const { out, err, code } = await command('trouble', '--queue', 'long');
    expect(code).toBe(0);
    expect(out).toMatch(/\(tasks: 2,000 examined, 2,000 unfinished\)\n$/);
    expect(out.split('\n').length).toBeLessThan(30);
    expect(err).toMatch(
      new RegExp(
        `^Queue 'long': not all tasks were examined \\(of 'long' those accepted at ${isoTime} or later\\), so that every number is a lower bound\\.
$`,
      ),
    );
    const { json } = await command('trouble', '--queue', 'long', '--json');
    expect(json).toMatchObject({ isComplete: false, explained: 2_000, cutQueues: [{ queue: 'long' }] });
  });

  it('is refused for a queue that does not exist', async () => {
    const { code, err } = await command('trouble', '--queue', 'mial');
    expect([code, err]).toEqual([3, expect.stringContaining("Did you mean 'mail'?")]);
  });
});
