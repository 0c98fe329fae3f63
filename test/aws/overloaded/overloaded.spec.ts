/** What a node does when the table or SQS is throttled or gone, on the proxies' buckets and outages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { SubmitOk } from '../../../src/core/messages.ts';
import { slotOf } from '../../../src/engines/aws/table/schema/ids.ts';
import { listPartition } from '../../../src/engines/aws/table/schema/keys.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { mail, overloadedSite, type Site } from './throttled-node.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Offers so many tasks a second for a while, each with a call of its own, by callers that heed what they are told. */
async function offer(site: Site, perS: number, seconds: number, name: string): Promise<Promise<SubmitOk>[]> {
  const offered: Promise<SubmitOk>[] = [];
  for (let i = 0; i < perS * seconds; i++) {
    offered.push(site.submitUntilAccepted(`${name}-${i}`));
    await sleep(1_000 / perS);
  }
  return offered;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20);
}

const idsOf = async (offered: readonly Promise<SubmitOk>[]): Promise<Set<string>> =>
  new Set((await Promise.all(offered)).map(({ id }) => id));

const errorOf = (submitted: Promise<SubmitOk>): Promise<unknown> =>
  submitted.then(
    () => undefined,
    (thrown) => thrown,
  );

/** Requests to the table that concern an idempotency key. */
function callsAbout(site: Site, key: string): unknown[] {
  const slot = slotOf({ ...mail, key });
  return site.table.calls.filter(({ keys }) => keys.some((one) => one.includes(slot)));
}

/** Whatever the weather: no lease was lost, and each was worked on once. */
const plain = new Set(['submitted', 'claimed', 'succeeded']);

test.concurrent('a throttled table: submissions are refused before any work, leases are renewed, then all is worked on', async () => {
  await overloadedSite(async (site) => {
    const leased = await site.leased(10);
    await site.table.set({ limits: [{ writeUnitsPerS: 15 }] });
    const offering = offer(site, 60, 4, 'table');
    await until(() => site.load.dependencies.table?.state === 'open');
    expect(site.load.dependencies.table?.throttled).toBeGreaterThanOrEqual(5);
    site.table.restartCount();
    await expect(site.submit('refused')).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'STORE_BUSY',
      retryAfterMs: expect.any(Number),
    });
    expect(callsAbout(site, 'refused')).toEqual([]);
    await site.renewAll(leased);
    const offered = await offering;
    await site.table.set({ limits: [] });
    const ids = await idsOf(offered);
    await site.settle(leased);
    await site.workUntilDone(ids);
    await sleep(1_100);
    for (let i = 0; site.load.dependencies.table?.state !== 'closed'; i++) {
      ids.add((await site.submitUntilAccepted(`afterwards-${i}`)).id);
    }
    await sleep(1_100);
    ids.add((await site.submitUntilAccepted('at last')).id);
    await site.workUntilDone(ids);
    expect(await site.kinds([...ids, ...leased.map(({ id }) => id)])).toEqual(plain);
    expect(site.told).toEqual(
      expect.arrayContaining([
        'first throttle; the SDK sends it again',
        'breaker open: submissions are refused and claims slowed down',
        'refusing submissions',
        'breaker half open: trying with one submission at a time',
        'breaker closed: submissions are admitted, more and more',
        'admitting submissions again',
      ]),
    );
  });
});

test.concurrent('one hot shard of the list: only what falls on it is told to wait; the breaker stays closed', async () => {
  await overloadedSite(async (site) => {
    const leased = await site.leased(10);
    const partitionKey = listPartition(mail, 1);
    await site.table.set({ limits: [{ index: 'list', partitionKey, writeUnitsPerS: 0 }] });
    const keys = Array.from({ length: 80 }, (_, i) => `hot-${i}`);
    const results = await Promise.allSettled(keys.map((key) => site.submit(key)));
    const refused = keys.filter((_, i) => results[i]?.status === 'rejected');
    expect(refused.length).toBeGreaterThan(5);
    expect(refused.length).toBeLessThan(40);
    const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(reasons).toContainEqual(
      expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' }),
    );
    expect(reasons.every(({ retryAfterMs }) => retryAfterMs > 0)).toBe(true);
    expect(site.load.dependencies.table).toMatchObject({ state: 'closed', opened: 0 });
    expect(site.load.submissions.refused).toBe(0);
    expect(await site.beat(leased)).toEqual(leased.map(() => 'renewed'));
    await site.settle(leased);
    await site.table.set({ limits: [] });
    const again = await Promise.all(keys.map((key) => site.submitUntilAccepted(key)));
    expect(keys.filter((key, i) => !again[i]?.deduplicated && !refused.includes(key))).toEqual([]);
    const ids = new Set(again.map(({ id }) => id));
    await site.workUntilDone(ids);
    expect(await site.kinds([...ids, ...leased.map(({ id }) => id)])).toEqual(plain);
  });
});

test.concurrent('SQS throttled: submissions are refused before anything is written, and leases are renewed', async () => {
  await overloadedSite(async (site) => {
    const leased = await site.leased(10);
    await site.sqs.set({ limits: [{ callsPerS: 3 }] });
    const offering = offer(site, 50, 4, 'sqs');
    await until(() => site.load.dependencies.queues?.state === 'open');
    site.table.restartCount();
    await expect(site.submit('refused')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(callsAbout(site, 'refused')).toEqual([]);
    expect(await site.beat(leased)).toEqual(leased.map(() => 'renewed'));
    expect(site.load.dependencies.table).toMatchObject({ state: 'closed', opened: 0, throttled: 0 });
    await site.settle(leased);
    const offered = await offering;
    await site.sqs.set({ limits: [] });
    const ids = await idsOf(offered);
    await site.workUntilDone(ids);
    expect(await site.kinds([...ids, ...leased.map(({ id }) => id)])).toEqual(plain);
  });
});

test.concurrent('SQS gone, the table there: what was written but never rung is found again, by its submitter or without', async () => {
  await overloadedSite(async (site, clock) => {
    const leased = await site.leased(10);
    await site.sqs.outage('refuse');
    const repeated = await errorOf(site.submit('repeated'));
    const left = await errorOf(site.submit('left alone'));
    for (const error of [repeated, left]) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    }
    const offering = offer(site, 20, 1, 'meanwhile');
    await until(() => site.load.dependencies.queues?.state === 'open');
    await expect(site.submit('refused')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(callsAbout(site, 'refused')).toEqual([]);
    expect(await site.beat(leased)).toEqual(leased.map(() => 'renewed'));
    await site.settle(leased);
    await site.sqs.outage(undefined);
    const accepted = await site.submitUntilAccepted('repeated');
    expect(accepted.deduplicated).toBe(true);
    const ids = await idsOf(await offering);
    await site.workUntilDone(ids.add(accepted.id));
    const { service, context } = site.running;
    const { snapshot } = await service.getByKey({ ...mail, key: 'left alone' }, false);
    expect(snapshot.head.state).toBe('waiting');
    const later = { ...clock, now: () => clock.now() + 12 * 60_000 };
    await reconcile({ ...context, clock: later }, new AbortController().signal);
    await site.workUntilDone(new Set([snapshot.id]));
    expect(await site.kinds([...ids, snapshot.id, ...leased.map(({ id }) => id)])).toEqual(plain);
  });
});

test.concurrent('the table gone, SQS there: bells are kept for later, leases outlast it, and everything acknowledged is done', async () => {
  await overloadedSite(async (site) => {
    const leased = await site.leased(10);
    const ids = await idsOf(Array.from({ length: 40 }, (_, i) => site.submit(`before-${i}`)));
    await site.table.outage('refuse');
    const working = site.workUntilDone(ids);
    const offering = offer(site, 20, 1, 'meanwhile');
    await until(() => site.load.dependencies.table?.state === 'open');
    site.sqs.restartCount();
    expect(await site.beat(leased)).toEqual(leased.map(() => 'error'));
    await sleep(4_000);
    expect(site.sqs.count('ReceiveMessage')).toBeLessThanOrEqual(8);
    expect(site.sqs.count('DeleteMessageBatch')).toBe(0);
    await site.table.outage(undefined);
    const backMs = performance.now();
    await site.renewAll(leased);
    await site.settle(leased);
    await Promise.all([working, offering.then(idsOf)]);
    // Sooner than bells come back by themselves, that are hidden for a lease.
    expect(performance.now() - backMs).toBeLessThan(timing.leaseMs - 5_000);
    expect(await site.kinds([...ids, ...leased.map(({ id }) => id)])).toEqual(plain);
  });
});
