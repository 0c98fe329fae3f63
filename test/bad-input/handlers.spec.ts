/** Handlers that hang, throw undefined or end their whole process, with a real server and real worker processes. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timing } from '../../src/core/limits.ts';
import { type Client, defineWorker, type EventType, handle, type SubmittedTask } from '../../src/index.ts';
import { envOf, type Server, Site } from './bad-input-server.ts';
import { spawnCommand } from './command.ts';
import { type Misbehaviour, odd, oddOnce } from './misbehaving-worker.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

const module = new URL('./misbehaving-worker.ts', import.meta.url).pathname;
/** A time in ms that is longer than a lease (30 s) plus its guard (2 s). */
const pastLeaseMs = 40_000;
/** A time in ms that is a little longer than 1 s: a worker that has sent nothing for 1 s is given no more tasks. */
const unresponsiveMs = 1_500;

let site: Site;
let server: Server;
let client: Client;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  server = await site.serve({ clockCanJump: true });
  client = server.client();
  before = await acceptNotes(client, 20);
});
afterAll(() => site[Symbol.asyncDispose]());

/** Starts `holdfast worker` with the misbehaving handlers. */
function startMisbehavingWorker() {
  const child = spawnCommand(['worker', module], { env: envOf(server.address, site.clientFiles) });
  let log = '';
  child.stderr?.on('data', (bytes) => (log += bytes));
  const gone = once(child, 'exit').then(([code, signal]) => code ?? signal);
  return {
    gone,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

const submit = (deed: Misbehaviour) => client.submit(odd, { deed });

async function kindsOf(task: SubmittedTask<unknown>): Promise<EventType[]> {
  const kinds: EventType[] = [];
  for await (const { kind } of task.events()) kinds.push(kind);
  return kinds;
}

/**
 * Returns the kinds of a task's events, without the claims that were released because the worker never received the
 * task.
 */
async function attemptsOf(task: SubmittedTask<unknown>): Promise<EventType[]> {
  const kinds = await kindsOf(task);
  return kinds.filter((kind, i) => kind !== 'claimReleased' && kinds[i + 1] !== 'claimReleased');
}

let offsetMs = 0;
/**
 * Moves the server's clock ahead until the leases of stopped workers have ended, and waits until the server lets them
 * expire: it takes the jump of its clock for a suspend of its machine.
 */
async function expireLeases(): Promise<void> {
  offsetMs += pastLeaseMs;
  await server.setClock(offsetMs);
  await sleep(timing.leaseGraceMs);
}

const startGoodWorker = () =>
  client.work(defineWorker({ handlers: [handle(odd, () => ({ by: 'the good worker' }))] }));

const kindsAfterLostLease = ['submitted', 'claimed', 'leaseExpired', 'claimed', 'succeeded'];

describe('a handler that ends or blocks its process', () => {
  it('counts as a lost worker of each task that runs in the process and uses no attempt, and another worker completes the tasks', {
    timeout: 60_000,
  }, async () => {
    const ends: readonly (readonly [Misbehaviour, number])[] = [
      ['exit', 3],
      ['exit at once', 3],
      ['throw later', 1],
      ['reject later', 1],
    ];
    const tasks: Awaited<ReturnType<typeof submit>>[] = [];
    for (const [deed, status] of ends) {
      await using worker = startMisbehavingWorker();
      const neighbour = await submit('hang');
      // The server may give the task to the stream of the previous worker first, whose end it has not noticed yet.
      await expect.poll(async () => (await neighbour.status()).state, { timeout: 15_000 }).toBe('running');
      tasks.push(neighbour, await submit(deed));
      expect(await worker.gone).toBe(status);
    }
    await expireLeases();
    await using _ = await startGoodWorker();
    for (const task of tasks) {
      expect(await task.result({ timeout: '15s' })).toEqual({ by: 'the good worker' });
      expect(await attemptsOf(task)).toEqual(kindsAfterLostLease);
      expect(await task.status()).toMatchObject({ attempt: 1, losses: 1 });
    }
  });

  it('makes its worker lose the leases of all tasks if it blocks the thread, although the process still runs', async () => {
    const neighbour = await submit('hang');
    const blocking = await submit('block');
    await using _worker = startMisbehavingWorker();
    for (const task of [neighbour, blocking]) {
      await expect.poll(async () => (await task.status()).state, { timeout: 10_000 }).toBe('running');
    }
    // An unresponsive worker receives no deliveries. Otherwise it could itself receive the tasks whose leases expire.
    await sleep(unresponsiveMs);
    await expireLeases();
    await using _ = await startGoodWorker();
    for (const task of [neighbour, blocking]) {
      expect(await task.result({ timeout: '15s' })).toEqual({ by: 'the good worker' });
      expect(await attemptsOf(task)).toEqual(kindsAfterLostLease);
    }
  });
});

describe('a handler', () => {
  it('that throws undefined fails its attempts with a readable message, and the task is dead', async () => {
    await using worker = startMisbehavingWorker();
    const task = await submit('throw undefined');
    const failed = { attempts: 2, message: expect.stringContaining('The handler threw undefined.') };
    await expect(task.result({ timeout: '15s' })).rejects.toMatchObject(failed);
    expect(await attemptsOf(task)).toEqual(['submitted', 'claimed', 'failed', 'claimed', 'died']);
    const waited = await server.cli([
      'submit',
      'odd',
      '{"deed":"throw undefined"}',
      '--queue',
      'odd',
      '--attempts',
      '1',
      '--wait',
    ]);
    expect(waited).toMatchObject({
      code: 1,
      error: { reason: 'TASK_DEAD', help: expect.stringMatching(/holdfast why /) },
    });
    expect(worker.log()).toContain('an attempt failed');
  });

  it('that never returns fails its attempt at the timeout, and its slot is free for other tasks', async () => {
    await using _worker = startMisbehavingWorker();
    const hanging = await Promise.all(
      Array.from({ length: 8 }, () => client.submit(oddOnce, { deed: 'hang' })),
    );
    for (const task of hanging) {
      await expect(task.result({ timeout: '15s' })).rejects.toMatchObject({
        attempts: 1,
        message: expect.stringMatching(/did not end within \d+ ms/),
      });
    }
    expect(await (await submit('end')).result({ timeout: '15s' })).toEqual({ by: 'the odd worker' });
  });
});

it('after handlers ended their process, blocked it or threw, every accepted task runs exactly once', async () => {
  await expectEndOnce(client, before);
});
