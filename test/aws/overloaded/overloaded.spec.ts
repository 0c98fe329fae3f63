/**
 * Tests a node while the DynamoDB table or SQS is throttled or unreachable. Proxies in front of the stand-ins for
 * DynamoDB and SQS limit or refuse the traffic.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { SubmitOk } from '../../../src/core/messages.ts';
import { slotOf } from '../../../src/engines/aws/table/schema/ids.ts';
import { listPartition } from '../../../src/engines/aws/table/schema/keys.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { mail, type ThrottledNode, withThrottledNode } from './throttled-node.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Submits `perS` tasks a second, each with a call of its own. A refused caller waits as long as the error says. */
async function offer(
  node: ThrottledNode,
  perS: number,
  seconds: number,
  name: string,
): Promise<Promise<SubmitOk>[]> {
  const offered: Promise<SubmitOk>[] = [];
  for (let i = 0; i < perS * seconds; i++) {
    offered.push(node.submitUntilAccepted(`${name}-${i}`));
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

/** Returns the requests to the table that concern an idempotency key. */
function callsAbout(node: ThrottledNode, key: string): unknown[] {
  const slot = slotOf({ ...mail, key });
  return node.table.calls.filter(({ keys }) => keys.some((one) => one.includes(slot)));
}

/**
 * Submits while the breaker of a dependency is open, and returns the key and the error. A submission during which the breaker
 * leaves this state, as it does once a second, proves nothing and is repeated.
 */
async function submitWhileOpen(node: ThrottledNode, dependency: 'table' | 'queues') {
  const isOpen = () => node.load.dependencies[dependency]?.state === 'open';
  for (let i = 0; ; i++) {
    await until(isOpen);
    const key = `refused-${i}`;
    const error = await errorOf(node.submit(key));
    if (isOpen()) return { key, error };
  }
}

/** Event kinds of tasks that were run exactly once and lost no lease. */
const undisturbedKinds = new Set(['submitted', 'claimed', 'succeeded']);

test.concurrent('while the table is throttled, submissions are refused before any write and leases are renewed; then all tasks are run', async () => {
  await withThrottledNode(async (node) => {
    const leased = await node.claimNew(10);
    await node.table.set({ limits: [{ writeUnitsPerS: 15 }] });
    const offering = offer(node, 60, 4, 'table');
    await until(() => node.load.dependencies.table?.state === 'open');
    expect(node.load.dependencies.table?.throttled).toBeGreaterThanOrEqual(5);
    node.table.restartCount();
    const { key, error } = await submitWhileOpen(node, 'table');
    expect(error).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'STORE_BUSY',
      retryAfterMs: expect.any(Number),
    });
    expect(callsAbout(node, key)).toEqual([]);
    await node.renewAll(leased);
    const offered = await offering;
    await node.table.set({ limits: [] });
    const ids = await idsOf(offered);
    await node.settle(leased);
    await node.workUntilDone(ids);
    await sleep(1_100);
    for (let i = 0; node.load.dependencies.table?.state !== 'closed'; i++) {
      ids.add((await node.submitUntilAccepted(`afterwards-${i}`)).id);
    }
    await sleep(1_100);
    ids.add((await node.submitUntilAccepted('at last')).id);
    await node.workUntilDone(ids);
    expect(await node.eventKinds([...ids, ...leased.map(({ id }) => id)])).toEqual(undisturbedKinds);
    expect(node.logMessages).toEqual(
      expect.arrayContaining([
        'first throttle; the SDK retries the request',
        'breaker open: submissions are refused and claims slowed down',
        'refusing submissions',
        'breaker half open: one call with submissions at a time is admitted',
        'breaker closed: submissions are admitted, twice as many each second',
        'admitting submissions again',
      ]),
    );
  });
});

test.concurrent('while one shard of the list index is throttled, only submissions to that shard are refused; the breaker stays closed', async () => {
  await withThrottledNode(async (node) => {
    const leased = await node.claimNew(10);
    const partitionKey = listPartition(mail, 1);
    await node.table.set({ limits: [{ index: 'list', partitionKey, writeUnitsPerS: 0 }] });
    const keys = Array.from({ length: 80 }, (_, i) => `hot-${i}`);
    const results = await Promise.allSettled(keys.map((key) => node.submit(key)));
    const refused = keys.filter((_, i) => results[i]?.status === 'rejected');
    expect(refused.length).toBeGreaterThan(5);
    expect(refused.length).toBeLessThan(40);
    const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(reasons).toContainEqual(
      expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' }),
    );
    expect(reasons.every(({ retryAfterMs }) => retryAfterMs > 0)).toBe(true);
    expect(node.load.dependencies.table).toMatchObject({ state: 'closed', opened: 0 });
    expect(node.load.submissions.refused).toBe(0);
    expect(await node.heartbeat(leased)).toEqual(leased.map(() => 'renewed'));
    await node.settle(leased);
    await node.table.set({ limits: [] });
    const again = await Promise.all(keys.map((key) => node.submitUntilAccepted(key)));
    expect(keys.filter((key, i) => !again[i]?.deduplicated && !refused.includes(key))).toEqual([]);
    const ids = new Set(again.map(({ id }) => id));
    await node.workUntilDone(ids);
    expect(await node.eventKinds([...ids, ...leased.map(({ id }) => id)])).toEqual(undisturbedKinds);
  });
});

test.concurrent('while SQS is throttled, submissions are refused before any write and leases are renewed', async () => {
  await withThrottledNode(async (node) => {
    const leased = await node.claimNew(10);
    await node.sqs.set({ limits: [{ callsPerS: 3 }] });
    const offering = offer(node, 50, 4, 'sqs');
    await until(() => node.load.dependencies.queues?.state === 'open');
    node.table.restartCount();
    const { key, error } = await submitWhileOpen(node, 'queues');
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(callsAbout(node, key)).toEqual([]);
    expect(await node.heartbeat(leased)).toEqual(leased.map(() => 'renewed'));
    expect(node.load.dependencies.table).toMatchObject({ state: 'closed', opened: 0, throttled: 0 });
    await node.settle(leased);
    const offered = await offering;
    await node.sqs.set({ limits: [] });
    const ids = await idsOf(offered);
    await node.workUntilDone(ids);
    expect(await node.eventKinds([...ids, ...leased.map(({ id }) => id)])).toEqual(undisturbedKinds);
  });
});

test.concurrent('after an SQS outage, tasks that were stored without a dispatch message are run as soon as they are submitted again or the reconciler finds them', async () => {
  await withThrottledNode(async (node, clock) => {
    const leased = await node.claimNew(10);
    await node.sqs.outage('refuse');
    const repeated = await errorOf(node.submit('repeated'));
    const left = await errorOf(node.submit('left alone'));
    for (const error of [repeated, left]) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    }
    const offering = offer(node, 20, 1, 'meanwhile');
    await until(() => node.load.dependencies.queues?.state === 'open');
    const { key, error } = await submitWhileOpen(node, 'queues');
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(callsAbout(node, key)).toEqual([]);
    expect(await node.heartbeat(leased)).toEqual(leased.map(() => 'renewed'));
    await node.settle(leased);
    await node.sqs.outage(undefined);
    const accepted = await node.submitUntilAccepted('repeated');
    expect(accepted.deduplicated).toBe(true);
    const ids = await idsOf(await offering);
    await node.workUntilDone(ids.add(accepted.id));
    const { service, context } = node.running;
    const { snapshot } = await service.getByKey({ ...mail, key: 'left alone' }, false);
    expect(snapshot.head.state).toBe('waiting');
    const later = { ...clock, now: () => clock.now() + 12 * 60_000 };
    await reconcile({ ...context, clock: later }, new AbortController().signal);
    await node.workUntilDone(new Set([snapshot.id]));
    expect(await node.eventKinds([...ids, snapshot.id, ...leased.map(({ id }) => id)])).toEqual(
      undisturbedKinds,
    );
  });
});

test.concurrent('during an outage of the DynamoDB table, a node keeps the SQS messages that it has received; after the outage, leases are renewed and every accepted task is run', async () => {
  await withThrottledNode(async (node) => {
    const leased = await node.claimNew(10);
    const ids = await idsOf(Array.from({ length: 40 }, (_, i) => node.submit(`before-${i}`)));
    await node.table.outage('refuse');
    const working = node.workUntilDone(ids);
    const offering = offer(node, 20, 1, 'meanwhile');
    await until(() => node.load.dependencies.table?.state === 'open');
    node.sqs.restartCount();
    expect(await node.heartbeat(leased)).toEqual(leased.map(() => 'error'));
    await sleep(4_000);
    expect(node.sqs.count('ReceiveMessage')).toBeLessThanOrEqual(8);
    expect(node.sqs.count('DeleteMessageBatch')).toBe(0);
    await node.table.outage(undefined);
    const backMs = performance.now();
    await node.renewAll(leased);
    await node.settle(leased);
    await Promise.all([working, offering.then(idsOf)]);
    // The tasks are done before the visibility timeout of their messages, which is the length of a lease, has passed.
    expect(performance.now() - backMs).toBeLessThan(timing.leaseMs - 5_000);
    expect(await node.eventKinds([...ids, ...leased.map(({ id }) => id)])).toEqual(undisturbedKinds);
  });
});
