/** Tests cuts of a network and the sudden end of a server: real processes over mutual TLS on SQLite. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  eventually,
  historyOf,
  job,
  jobs,
  kindsOf,
  reservedOf,
  type Site,
  startSite,
  untilRunning,
} from './site.ts';
import { openWay } from './way.ts';

const timeoutMs = 120_000;
const done = ['submitted', 'claimed', 'succeeded'];

let shared: Site;
beforeAll(async () => {
  shared = await startSite();
});
afterAll(() => shared[Symbol.asyncDispose]());

/**
 * Gives the only worker of a queue, of two slots, so many tasks that it has fetched some of 20 when both slots run a task
 * of `ms`.
 */
async function fetchAhead(site: Site, queue: string, ms: number) {
  await site.submit(queue, job, jobs(`${queue}-quick`, 200, 0));
  const running = await site.submit(queue, job, jobs(`${queue}-running`, 2, ms));
  const fetched = await site.submit(queue, job, jobs(`${queue}-fetched`, 20, 0));
  await untilRunning(site, running);
  await eventually(async () => expect(await reservedOf(site, queue)).not.toHaveLength(0));
  return { running, fetched };
}

async function expectFirstAttempts({ client }: Site, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { state, attempt, losses } = await client.task(id).status();
    expect({ state, attempt, losses }).toEqual({ state: 'succeeded', attempt: 1, losses: 0 });
  }
}

function abortedOf(site: Site, queue: string): string[] {
  return site
    .aborted()
    .filter((line) => line.startsWith(queue))
    .toSorted();
}

it.concurrent(
  'a cut of 5 s between a worker and its server ends no running attempt, and fetched tasks run in another worker meanwhile',
  async () => {
    const site = shared;
    await using way = await openWay(site.port);
    await site.startWorker({ name: 'cut-off', slots: 2, queue: 'cut', port: way.port });
    const { running, fetched } = await fetchAhead(site, 'cut', 9_000);
    await site.startWorker({ name: 'meanwhile', slots: 1, queue: 'cut' });
    way.cut();
    const cutAtMs = performance.now();
    // The worker cannot release anything itself while it is cut off.
    await eventually(() => expect(site.begun('meanwhile')).toHaveLength(fetched.length), 30_000);
    await sleep(Math.max(0, cutAtMs + 5_000 - performance.now()));
    way.heal();
    for (const id of running) {
      await site.client.task(id).result({ timeout: '40s' });
      expect(await kindsOf(site, id)).toEqual(done);
    }
    await expectFirstAttempts(site, fetched);
    const histories = await Promise.all(fetched.map((id) => kindsOf(site, id)));
    expect(histories).toContainEqual(['submitted', 'claimed', 'claimReleased', 'claimed', 'succeeded']);
    expect(site.begun('cut-off').filter((label) => label.startsWith('cut-running'))).toHaveLength(2);
    expect(abortedOf(site, 'cut')).toEqual([]);
  },
  timeoutMs,
);

it.concurrent(
  'a network that carries nothing for 5 s and resets no connection costs no attempt, and each handler is called once',
  async () => {
    const site = shared;
    await using way = await openWay(site.port);
    await site.startWorker({ name: 'late', slots: 2, queue: 'late', port: way.port });
    const [one = ''] = await site.submit('late', job, jobs('late-running', 1, 3_000));
    await untilRunning(site, [one]);
    way.freeze();
    const later = await site.submit('late', job, jobs('late-later', 10, 0));
    await sleep(5_000);
    way.heal();
    for (const id of [one, ...later]) await site.client.task(id).result({ timeout: '40s' });
    expect(await kindsOf(site, one)).toEqual(done);
    await expectFirstAttempts(site, later);
    expect(site.begun('late')).toHaveLength(11);
  },
  timeoutMs,
);

it.concurrent(
  'a worker whose connection carries nothing any more loses its running tasks to another worker after their leases, its fetched tasks too',
  async () => {
    const site = shared;
    await using way = await openWay(site.port);
    await site.startWorker({ name: 'mute', slots: 2, queue: 'mute', port: way.port });
    const { running, fetched } = await fetchAhead(site, 'mute', 90_000);
    way.freeze();
    const reserved = await reservedOf(site, 'mute');
    await site.startWorker({ name: 'able', slots: 4, queue: 'mute' });
    // The mute worker's stream is open and has credits: without care it would be given each task whose lease has expired.
    await eventually(() => expect(site.begun('able')).toHaveLength(fetched.length + 2), 60_000);
    way.heal();
    const lost = ['mute-running-0 lease-lost', 'mute-running-1 lease-lost'];
    await eventually(() => expect(abortedOf(site, 'mute')).toEqual(lost), 30_000);
    for (const id of reserved) {
      const [, , expired] = await historyOf(site, id);
      expect(expired).toMatchObject({ kind: 'leaseExpired', loss: { begun: 'no', countsAsLoss: false } });
    }
    for (const id of running) {
      const { state, attempt, losses } = await site.client.task(id).status();
      expect({ state, attempt, losses }).toEqual({ state: 'running', attempt: 1, losses: 1 });
    }
  },
  timeoutMs,
);

it.concurrent(
  'a worker whose connection died unnoticed is back on a new one before its leases end, and its fetched tasks run elsewhere',
  async () => {
    const site = shared;
    await using way = await openWay(site.port);
    await site.startWorker({ name: 'back', slots: 2, queue: 'back', port: way.port });
    const { running, fetched } = await fetchAhead(site, 'back', 36_000);
    way.freeze('open');
    await site.startWorker({ name: 'beside', slots: 4, queue: 'back' });
    for (const id of [...running, ...fetched]) await site.client.task(id).result({ timeout: '70s' });
    for (const id of running) expect(await kindsOf(site, id)).toEqual(done);
    await expectFirstAttempts(site, fetched);
    expect(site.begun('beside')).toHaveLength(fetched.length);
  },
  timeoutMs,
);

it.concurrent(
  'a server that is killed and started again keeps the attempts of running tasks, and the worker goes on with all tasks',
  async () => {
    await using site = await startSite();
    await site.startWorker({ name: 'w', slots: 2, queue: 'q' });
    const { running, fetched } = await fetchAhead(site, 'q', 6_000);
    await site.server.kill();
    await site.startServerAgain();
    for (const id of [...running, ...fetched]) await site.client.task(id).result({ timeout: '40s' });
    for (const id of running) expect(await kindsOf(site, id)).toEqual(done);
    await expectFirstAttempts(site, fetched);
    expect(site.begun('w')).toHaveLength(222);
  },
  timeoutMs,
);
