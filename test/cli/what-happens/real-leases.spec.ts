/** Tests what happens when workers and servers end, stand still or are cut off for longer than a lease: real processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  eventually,
  historyOf,
  job,
  jobs,
  kindsOf,
  once,
  reservedOf,
  type Site,
  startSite,
  untilRunning,
} from './site.ts';
import { openWay } from './way.ts';

/** Longer than a lease of 30 s and the guard of 2 s. */
const beyondLeaseMs = 34_000;
/** Far longer than a lease, its guard and the grace of a server that has just started. */
const patienceMs = 75_000;
const timeoutMs = 120_000;

const lostOnce = ['submitted', 'claimed', 'leaseExpired', 'claimed', 'succeeded'];

let shared: Site;
beforeAll(async () => {
  shared = await startSite();
});
afterAll(() => shared[Symbol.asyncDispose]());

it.concurrent(
  'tasks that a killed worker had fetched run elsewhere before a lease could end, and of those that may run once only the two begun are dead',
  async () => {
    const site = shared;
    const worker = await site.startWorker({ name: 'killed', slots: 2, queue: 'kill' });
    await site.submit('kill', job, jobs('quick', 800, 0));
    const ids = await site.submit('kill', once, jobs('long', 60, 30_000));
    const begunByKilled = () => site.begun('killed').filter((label) => label.startsWith('long'));
    await eventually(() => expect(begunByKilled()).toHaveLength(2), 30_000);
    await worker.kill();
    await site.startWorker({ name: 'heir', slots: 60, queue: 'kill' });
    // A lease lasts 30 s: nothing but the cut of the stream can have given the tasks back.
    await eventually(() => expect(site.begun('heir')).toHaveLength(58), 20_000);
    const states = async () => {
      const all = await Promise.all(ids.map((id) => site.client.task(id).status()));
      return all.map(({ state, attempt, losses, deadReason }) => ({ state, attempt, losses, deadReason }));
    };
    const ended = expect.stringMatching(/^(succeeded|dead)$/);
    await eventually(
      async () => expect((await states()).map(({ state }) => state)).toEqual(ids.map(() => ended)),
      patienceMs,
    );
    const all = await states();
    const well = { state: 'succeeded', attempt: 1, losses: 0, deadReason: undefined };
    expect(all.filter(({ state }) => state === 'succeeded')).toEqual(Array(58).fill(well));
    const lost = { state: 'dead', attempt: 0, losses: 1, deadReason: 'workerLost' };
    expect(all.filter(({ state }) => state !== 'succeeded')).toEqual([lost, lost]);
    expect([...begunByKilled(), ...site.begun('heir')].toSorted()).toEqual(
      jobs('long', 60, 0)
        .map(({ label }) => label)
        .toSorted(),
    );
    const histories = await Promise.all(ids.map((id) => kindsOf(site, id)));
    expect(histories).toContainEqual(['submitted', 'claimed', 'leaseExpired', 'died']);
    expect(histories).toContainEqual(['submitted', 'claimed', 'claimReleased', 'claimed', 'succeeded']);
  },
  timeoutMs,
);

it.concurrent(
  'a handler that ends its process costs the tasks beside it no attempt: each counts a lost worker and runs again after its lease',
  async () => {
    const site = shared;
    const worker = await site.startWorker({ name: 'poisoned', slots: 16, queue: 'poison' });
    const innocent = await site.submit('poison', job, jobs('innocent', 15, 4_000));
    await eventually(() => expect(site.begun('poisoned')).toHaveLength(15));
    const [poison = ''] = await site.submit('poison', job, [
      { label: 'poison', ms: 4_000, exitsIn: 'poisoned' },
    ]);
    expect(await worker.exit).toBe(7);
    await site.startWorker({ name: 'after', slots: 16, queue: 'poison' });
    for (const id of [...innocent, poison]) await site.client.task(id).result({ timeout: patienceMs });
    for (const id of [...innocent, poison]) {
      const history = await historyOf(site, id);
      expect(history.map(({ kind }) => kind)).toEqual(lostOnce);
      expect(history.flatMap(({ attempt }) => attempt ?? [])).toEqual([1, 1]);
      expect(history[2]?.loss).toEqual({ begun: 'yes', alone: false, countsAsLoss: true });
    }
  },
  timeoutMs,
);

it.concurrent(
  'a cut longer than a lease gives running tasks to another worker under the same attempt, and aborts their handlers when it is over',
  async () => {
    const site = shared;
    await using way = await openWay(site.port);
    await site.startWorker({ name: 'away', slots: 2, queue: 'cut', port: way.port });
    const ids = await site.submit('cut', job, jobs('away', 2, 60_000));
    await untilRunning(site, ids);
    way.cut();
    await site.startWorker({ name: 'instead', slots: 2, queue: 'cut' });
    await eventually(() => expect(site.begun('instead')).toHaveLength(2), patienceMs);
    way.heal();
    await eventually(
      () => expect(site.aborted().toSorted()).toEqual(['away-0 lease-lost', 'away-1 lease-lost']),
      patienceMs,
    );
    for (const id of ids) {
      const { state, attempt, losses, worker } = await site.client.task(id).status();
      expect({ state, attempt, losses }).toEqual({ state: 'running', attempt: 1, losses: 1 });
      expect(worker).toMatch(/^instead/);
    }
  },
  timeoutMs,
);

it.concurrent(
  'when a server and its worker are killed together, waiting tasks run at once, and running and fetched ones after their leases, with a loss and no attempt used',
  async () => {
    await using site = await startSite();
    const worker = await site.startWorker({ name: 'first', slots: 1, queue: 'q' });
    const [id = ''] = await site.submit('q', job, jobs('task', 1, 5_000));
    await eventually(() => expect(site.begun('first')).toHaveLength(1));
    const waiting = await site.submit('q', job, jobs('waiting', 20, 0));
    await eventually(async () => expect(await reservedOf(site, 'q')).not.toHaveLength(0));
    const reserved = await reservedOf(site, 'q');
    await Promise.all([site.server.kill(), worker.kill()]);
    await site.startServerAgain();
    await site.startWorker({ name: 'second', slots: 1, queue: 'q' });
    const free = waiting.filter((id) => !reserved.includes(id));
    for (const one of free) await site.client.task(one).result({ timeout: '20s' });
    expect(site.begun('second')).toHaveLength(free.length);
    for (const one of [id, ...reserved]) {
      await site.client.task(one).result({ timeout: patienceMs });
      const history = await historyOf(site, one);
      expect(history.map(({ kind }) => kind)).toEqual(lostOnce);
      // The worker had not sent a heartbeat yet, so the new server cannot know whether the handler had begun.
      expect(history[2]?.loss).toEqual({ begun: 'unknown', alone: false, countsAsLoss: true });
      expect(history[3]?.attempt).toBe(1);
    }
  },
  timeoutMs,
);

it.concurrent(
  'a server that stands still for longer than a lease takes no task from a worker that is alive',
  async () => {
    await using site = await startSite();
    await site.startWorker({ name: 'alive', slots: 1, queue: 'q' });
    const [id = ''] = await site.submit('q', job, jobs('task', 1, beyondLeaseMs + 3_000));
    await eventually(() => expect(site.begun('alive')).toHaveLength(1));
    await site.startWorker({ name: 'idle', slots: 1, queue: 'q' });
    site.server.signal('SIGSTOP');
    await sleep(beyondLeaseMs);
    site.server.signal('SIGCONT');
    await site.client.task(id).result({ timeout: patienceMs });
    expect(await kindsOf(site, id)).toEqual(['submitted', 'claimed', 'succeeded']);
    expect(site.begun('idle')).toEqual([]);
  },
  timeoutMs,
);
