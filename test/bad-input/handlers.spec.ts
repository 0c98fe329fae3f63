/** Handlers that hang, throw nothing, or take their whole process with them: real servers, real worker processes. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, defineWorker, type EventType, handle, type SubmittedTask } from '../../src/index.ts';
import { envOf, type Server, Site } from './bad-input-server.ts';
import { spawnCommand } from './command.ts';
import { type Deed, odd, oddOnce } from './odd.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

const module = new URL('./odd.ts', import.meta.url).pathname;
/** A lease, its guard, and a little. */
const pastLeaseMs = 40_000;
/** A second, and a little. */
const silentMs = 1_500;

let site: Site;
let server: Server;
let client: Client;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  server = await site.serve({ jumps: true });
  client = server.client();
  before = await acceptNotes(client, 20);
});
afterAll(() => site[Symbol.asyncDispose]());

/** `holdfast worker` on the odd handlers; how it ended. */
function oddWorker() {
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

const submit = (deed: Deed) => client.submit(odd, { deed });

async function kindsOf(task: SubmittedTask<unknown>): Promise<EventType[]> {
  const kinds: EventType[] = [];
  for await (const { type } of task.events()) kinds.push(type);
  return kinds;
}

/** Without the claims that never arrived, as of a worker that was just stopping. */
async function attemptsOf(task: SubmittedTask<unknown>): Promise<EventType[]> {
  const kinds = await kindsOf(task);
  return kinds.filter((kind, i) => kind !== 'claimReleased' && kinds[i + 1] !== 'claimReleased');
}

let offsetMs = 0;
/** The leases of whoever is gone are spent by now. */
async function passLeases(): Promise<void> {
  offsetMs += pastLeaseMs;
  await server.setClock(offsetMs);
}

const good = () => client.work(defineWorker({ handlers: [handle(odd, () => ({ by: 'the good worker' }))] }));

const takenOver = ['submitted', 'claimed', 'leaseExpired', 'claimed', 'succeeded'];

describe('a handler that takes its process with it', () => {
  it.each<[Deed, number]>([
    ['exit', 3],
    ['throw later', 1],
    ['reject later', 1],
  ])('by %s costs one attempt of what ran in it, and another worker does it', async (deed, status) => {
    const neighbour = await submit('hang');
    const deadly = await submit(deed);
    await using worker = oddWorker();
    expect(await worker.gone).toBe(status);
    await passLeases();
    await using _ = await good();
    for (const task of [neighbour, deadly]) {
      expect(await task.result({ timeout: '15s' })).toEqual({ by: 'the good worker' });
      expect(await attemptsOf(task)).toEqual(takenOver);
    }
  });

  it('by an exit at once, before its worker said a word, costs no attempt and no wait', async () => {
    const task = await submit('exit at once');
    await using worker = oddWorker();
    expect(await worker.gone).toBe(3);
    await using _ = await good();
    await task.result({ timeout: '15s' });
    expect(await kindsOf(task)).toEqual(['submitted', 'claimed', 'claimReleased', 'claimed', 'succeeded']);
    expect(await task.status()).toMatchObject({ attempt: 1 });
  });

  it('by blocking its thread loses its leases too, though the process lives', async () => {
    const neighbour = await submit('hang');
    const blocking = await submit('block');
    await using _worker = oddWorker();
    for (const task of [neighbour, blocking]) {
      await expect.poll(async () => (await task.status()).state, { timeout: 10_000 }).toBe('running');
    }
    // Silent for so long, it is given nothing more: else it might be first to hear that its own leases are spent.
    await sleep(silentMs);
    await passLeases();
    await using _ = await good();
    for (const task of [neighbour, blocking]) {
      expect(await task.result({ timeout: '15s' })).toEqual({ by: 'the good worker' });
      expect(await attemptsOf(task)).toEqual(takenOver);
    }
  });
});

describe('a handler', () => {
  it('that throws undefined fails its attempts with a sentence, and the task is dead', async () => {
    await using worker = oddWorker();
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
      error: { reason: 'TASK_DEAD', help: expect.stringMatching(/history/) },
    });
    expect(worker.log()).toContain('an attempt failed');
  });

  it('that never returns fails its attempt in time, and its slot is free for others', async () => {
    await using _worker = oddWorker();
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

it('after all of this, what was accepted before has ended once', async () => {
  await expectEndOnce(client, before);
});
