/** The clock of a real server is set one hour ahead, or one hour back, while tasks run and wait. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, defineTask, defineWorker, handle, type TaskEvent, typed } from '../../src/index.ts';
import { type Server, Site } from './bad-input-server.ts';
import { acceptNotes, expectEndOnce, note } from './tasks.ts';

const hourMs = 3_600_000;
const slow = defineTask('slow', {
  input: typed<null>(),
  queue: 'slow',
  timeout: '3h',
  retry: { backoff: { base: '10ms' } },
});

let site: Site;
let server: Server;
let client: Client;
beforeEach(async () => {
  site = await Site.make();
  server = await site.serve({ clockCanJump: true });
  client = server.client();
});
afterEach(() => site[Symbol.asyncDispose]());

async function eventsOf(id: string): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const event of client.task(id).events()) events.push(event);
  return events;
}

/** Starts a worker whose attempts run until the test ends them. It records the fencing token of each attempt. */
async function slowWorker() {
  const fencingTokenList: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const reasons: unknown[] = [];
  const worker = defineWorker({
    handlers: [
      handle(slow, (_, ctx) => {
        fencingTokenList.push(ctx.fencingToken);
        ctx.signal.addEventListener('abort', () =>
          reasons.push((ctx.signal.reason as { kind: string }).kind),
        );
        return new Promise<void>((resolve, reject) => {
          ends.push((error) => (error === undefined ? resolve() : reject(error)));
        });
      }),
    ],
  });
  await client.work(worker);
  return {
    fencingTokenList,
    ends,
    reasons,
    waitForAttempts: (n: number) => expect.poll(() => fencingTokenList.length, { timeout: 10_000 }).toBe(n),
  };
}

describe('a server’s clock that jumps an hour ahead', () => {
  it('ends delays and deadlines at once, but no lease that its worker renews, and each task ends once', async () => {
    const before = await acceptNotes(client, 50);
    const { id } = await client.submit(slow, null);
    const delayed = await client.submit(slow, null, { delay: '30m' });
    const late = await client.submit(slow, null, {
      delay: '2h',
      deadline: new Date(Date.now() + hourMs / 2),
    });
    const { fencingTokenList, ends, reasons, waitForAttempts } = await slowWorker();
    await waitForAttempts(1);
    await server.setClock(hourMs);

    await waitForAttempts(2);
    expect(fencingTokenList[0]).toBeLessThan(fencingTokenList[1] ?? 0);
    const leaseEnd = async () => (await client.task(id).status()).leaseEndAt?.getTime();
    await expect.poll(leaseEnd, { timeout: 20_000 }).toBeGreaterThan(Date.now() + hourMs - 60_000);
    expect(reasons).toEqual([]);
    for (const end of ends) end();
    await client.task(id).result({ timeout: '10s' });
    await delayed.result({ timeout: '10s' });
    expect((await eventsOf(id)).map(({ kind }) => kind)).toEqual(['submitted', 'claimed', 'succeeded']);
    expect(await late.status()).toMatchObject({ state: 'dead', deadReason: 'deadline' });
    expect((await client.submit(note, { n: 0 }, { idempotencyKey: 'before/0' })).id).toBe(before[0]);
    await expectEndOnce(client, before);
  });
});

describe('a server’s clock that jumps an hour back', () => {
  it('ends no lease early, fencing tokens still rise, and delayed tasks wait for their time', async () => {
    const before = await acceptNotes(client, 50);
    const { id } = await client.submit(slow, null);
    const { fencingTokenList, ends, reasons, waitForAttempts } = await slowWorker();
    await waitForAttempts(1);
    const delayed = await client.submit(slow, null, { delay: '1s' });
    await server.setClock(-hourMs);

    ends[0]?.(new Error('once more'));
    await waitForAttempts(2);
    expect(fencingTokenList[1]).toBeGreaterThan(fencingTokenList[0] ?? 0);
    ends[1]?.();
    await client.task(id).result({ timeout: '10s' });
    expect((await eventsOf(id)).map(({ kind }) => kind)).toEqual([
      'submitted',
      'claimed',
      'failed',
      'claimed',
      'succeeded',
    ]);
    await expectEndOnce(client, before);
    await expectEndOnce(client, await acceptNotes(client, 50, 'after'));
    expect(await delayed.status()).toMatchObject({ state: 'scheduled' });
    expect(reasons).toEqual([]);
    await server.setClock(0);
    await waitForAttempts(3);
    ends[2]?.();
    await delayed.result({ timeout: '10s' });
  });
});
