/** Tests short cuts of a network and the sudden end of a server: real processes over mutual TLS on SQLite. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eventually, job, jobs, kindsOf, reservedOf, type Site, startSite, untilRunning } from './site.ts';
import { openWay } from './way.ts';

/** Gives the only worker, of two slots, so many tasks that it has fetched some ahead when both slots run a task of `ms`. */
async function fetchAhead(site: Site, queue: string, ms: number) {
  await site.submit(queue, job, jobs('quick', 400, 0));
  const running = await site.submit(queue, job, jobs('running', 2, ms));
  const fetched = await site.submit(queue, job, jobs('fetched', 20, 0));
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

const done = ['submitted', 'claimed', 'succeeded'];

it.concurrent('a cut of 5 s between a worker and its server ends no running attempt, and fetched tasks run in another worker meanwhile', async () => {
  await using site = await startSite();
  await using way = await openWay(site.port);
  await site.startWorker({ name: 'cut-off', slots: 2, queue: 'q', port: way.port });
  const { running, fetched } = await fetchAhead(site, 'q', 9_000);
  await site.startWorker({ name: 'other', slots: 1, queue: 'q' });
  way.cut();
  const cutAtMs = performance.now();
  await eventually(() => expect(site.begun('other')).toHaveLength(fetched.length), 20_000);
  await sleep(Math.max(0, cutAtMs + 5_000 - performance.now()));
  way.heal();
  for (const id of running) {
    await site.client.task(id).result({ timeout: '20s' });
    expect(await kindsOf(site, id)).toEqual(done);
  }
  await expectFirstAttempts(site, fetched);
  const histories = await Promise.all(fetched.map((id) => kindsOf(site, id)));
  expect(histories).toContainEqual(['submitted', 'claimed', 'claimReleased', 'claimed', 'succeeded']);
  expect(site.begun('cut-off').filter((label) => label.startsWith('running'))).toHaveLength(2);
  expect(site.begun('other').toSorted()).toEqual(
    jobs('fetched', 20, 0)
      .map(({ label }) => label)
      .toSorted(),
  );
  expect(site.aborted()).toEqual([]);
}, 60_000);

it.concurrent('a network that carries nothing for 5 s and resets no connection costs no attempt, and each handler is called once', async () => {
  await using site = await startSite();
  await using way = await openWay(site.port);
  await site.startWorker({ name: 'slow', slots: 2, queue: 'q', port: way.port });
  const [one = ''] = await site.submit('q', job, jobs('running', 1, 3_000));
  await eventually(() => expect(site.begun('slow')).toEqual(['running-0']));
  way.freeze();
  const later = await site.submit('q', job, jobs('later', 10, 0));
  await sleep(5_000);
  way.heal();
  for (const id of [one, ...later]) await site.client.task(id).result({ timeout: '20s' });
  expect(await kindsOf(site, one)).toEqual(done);
  await expectFirstAttempts(site, later);
  expect(site.begun('slow')).toHaveLength(11);
}, 60_000);

it.concurrent('a server that is killed and started again keeps the attempts of running tasks, and the worker goes on with all tasks', async () => {
  await using site = await startSite();
  await site.startWorker({ name: 'w', slots: 2, queue: 'q' });
  const { running, fetched } = await fetchAhead(site, 'q', 6_000);
  await site.server.kill();
  await site.startServerAgain();
  for (const id of [...running, ...fetched]) await site.client.task(id).result({ timeout: '20s' });
  for (const id of running) expect(await kindsOf(site, id)).toEqual(done);
  await expectFirstAttempts(site, fetched);
  expect(site.begun('w')).toHaveLength(422);
}, 60_000);
