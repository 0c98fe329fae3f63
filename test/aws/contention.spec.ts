import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HoldfastError } from '../../src/core/errors.ts';
import type { Accepted } from '../../src/ports/task-store.ts';
import { ids } from '../contract/store-fixture.ts';
import { keptLog } from '../fixtures/listening.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { answerOf } from '../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { noise, type Site, siteOn } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let site: Site;
const log = keptLog();
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  site = await siteOn(proxy.url, log);
});
afterEach(async () => {
  log.lines.length = 0;
  await site.close();
  await proxy.close();
});

const prefix = 'com.amazonaws.dynamodb.v20120810#';

function cancelled(code: string, items: number) {
  const reasons = Array.from({ length: items }, (_, i) => ({ Code: i === 0 ? code : 'None' }));
  const __type = `${prefix}TransactionCanceledException`;
  return answerOf(400, { __type, Message: 'Transaction cancelled', CancellationReasons: reasons });
}

/** Answers the first `times` calls of an operation with this instead. */
function instead(operation: string, times: number, answer: ReturnType<typeof answerOf>): void {
  let left = times;
  proxy.hook({
    beforeRequest: (_, call) => (call.operation === operation && left-- > 0 ? answer : undefined),
  });
}

test.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
  'a transaction that was cancelled for %s is sent again',
  async (code) => {
    instead('TransactWriteItems', 3, cancelled(code, 3));
    const task = await site.bench.accept({ orderingKey: 'ann' });
    expect(task.laneSeq).toBe(1);
    expect(proxy.count('TransactWriteItems')).toBe(4);
    expect(site.parts.meter.of('accept').retries).toBe(3);
  },
);

test('a change that meets a transaction is sent again', async () => {
  const task = await site.bench.accept();
  instead(
    'UpdateItem',
    2,
    answerOf(400, { __type: `${prefix}TransactionConflictException`, message: 'busy' }),
  );
  expect((await site.bench.claim(task)).head.revision).toBe(2);
});

test('one that conflicts for ever is refused, to be tried again later', async () => {
  instead('TransactWriteItems', 1_000, cancelled('TransactionConflict', 3));
  const [accepted] = await site.bench.store.accept([site.bench.acceptance({ orderingKey: 'ann' })]);
  if (accepted?.kind !== 'failed') expect.fail(accepted?.kind);
  expect(accepted.error).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'STORE_BUSY',
    retryAfterMs: 500,
  });
  expect(accepted.error.retryable).toBe(true);
});

test('what is throttled beyond the SDK’s retries is refused, each item alone', async () => {
  const task = await site.bench.accept();
  const running = await site.bench.claim(await site.bench.accept());
  const __type = `${prefix}ProvisionedThroughputExceededException`;
  const throttled = answerOf(400, { __type, message: 'slow down' });
  proxy.hook({
    beforeRequest: (_, { operation, keys }) =>
      operation === 'UpdateItem' && keys.some((key) => key.includes(task.id.split('.')[0] ?? ''))
        ? throttled
        : undefined,
  });
  const { bench } = site;
  const outcomes = await bench.store.append([
    bench.transition(task, bench.claimOf()),
    bench.transition(running, bench.settleOf(running)),
  ]);
  expect(outcomes.map((one) => one.kind)).toEqual(['failed', 'done']);
  expect(outcomes[0]).toMatchObject({
    error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY', retryAfterMs: 1_000 },
  });
});

test('a table that is not there is told as such', async () => {
  const __type = `${prefix}ResourceNotFoundException`;
  instead('PutItem', 1, answerOf(400, { __type, message: 'Requested resource not found' }));
  const [accepted] = await site.bench.store.accept([site.bench.acceptance()]);
  expect(accepted).toMatchObject({
    error: {
      code: 'FAILED_PRECONDITION',
      reason: 'BAD_CONFIGURATION',
      message: expect.stringContaining(site.table),
    },
  });
});

test('the loser of a claim is told who won it', async () => {
  const { bench } = site;
  const task = await bench.accept();
  const claims = ['ann', 'bob'].map((worker) => {
    const claim = { kind: 'claim', worker, leaseMs: 30_000, lowest: true } as const;
    return bench.append(bench.transition(task, claim));
  });
  const outcomes = await Promise.all(claims);
  const won = outcomes.findIndex((one) => one.kind === 'done');
  const winner = ['ann', 'bob'][won];
  expect(outcomes.map((one) => one.kind).toSorted()).toEqual(['done', 'refused']);
  expect(outcomes[1 - won]).toMatchObject({ current: { head: { worker: winner } } });
  const [line] = log.lines.filter((one) => one.level === 'info');
  expect(line).toMatchObject({ task_id: task.id, queue: 'mail', winner, attempt: 1 });
  const err = line?.err as HoldfastError;
  expect(err).toMatchObject({ code: 'ABORTED', reason: 'CONFLICT', taskId: task.id });
  expect(err.message).toContain(`worker '${winner}' has it`);
  expect((err.cause as Error).name).toBe('ConditionalCheckFailedException');
});

test('the loser of a transaction finds what stands in its reasons', async () => {
  const { bench } = site;
  const first = await bench.die(await bench.accept({ orderingKey: 'ann' }));
  await bench.store.leave(bench.lane('ann'), first.id, first.laneSeq);
  const handed = await bench.handedOver(first);
  const redrive = bench.transition(handed, { kind: 'redrive', actor: 'op' }, { rejoinLane: true });
  const other = site.another(proxy.url);
  const outcomes = await Promise.all([
    bench.append(redrive),
    other.store.append([redrive]).then(([one]) => one),
  ]);
  expect(outcomes.map((one) => one?.kind).toSorted()).toEqual(['done', 'refused']);
  expect(await bench.store.lowest(bench.lane('ann'))).toEqual({ id: first.id, seq: 2 });
  const current = outcomes.find((one) => one?.kind === 'refused');
  expect(current).toMatchObject({ current: { head: { state: 'waiting' }, laneSeq: 2 } });
});

test('a dead task that is redriven while another would take its key keeps it', async () => {
  const { bench } = site;
  const late = { key: 'k', options: { windowMs: 60_000 } };
  const dead = await bench.die(await bench.accept(late));
  await bench.clock.advance(60_000);
  let redriving: Promise<unknown> | undefined;
  proxy.hook({
    beforeRequest: async (_, { operation }) => {
      if (operation !== 'TransactWriteItems') return undefined;
      redriving ??= bench.redrive(dead);
      await redriving;
      return undefined;
    },
  });
  const [accepted] = await bench.store.accept([bench.acceptance(late)]);
  expect(redriving).toBeDefined();
  expect(accepted).toEqual({ kind: 'existing', snapshot: await bench.read(dead) });
  expect(accepted).toMatchObject({ snapshot: { head: { state: 'waiting' } } });
});

test('processes that fill one lane at once give each task a place of its own, in the order of its commit', async () => {
  const { bench } = site;
  const others = [site.parts, site.another(proxy.url), site.another(proxy.url)];
  const accepted = await Promise.all(
    others.map(async ({ store }) => {
      const all: Accepted[] = [];
      for (let i = 0; i < 5; i++) {
        const batch = Array.from({ length: 4 }, () => bench.acceptance({ orderingKey: 'ann' }));
        all.push(...(await store.accept(batch)));
      }
      return all.map((one) => (one.kind === 'fresh' ? one.snapshot : expect.fail(one.kind)));
    }),
  );
  for (const tasks of accepted) {
    const seqs = tasks.map((task) => task.laneSeq ?? 0);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  }
  const seqs = accepted.flat().map((task) => task.laneSeq ?? 0);
  expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  const listed = await bench.listAll({ orderingKey: 'ann' });
  const inOrder = accepted.flat().toSorted((a, b) => (a.laneSeq ?? 0) - (b.laneSeq ?? 0));
  expect(ids(listed.items)).toEqual(ids(inOrder));
});

test('a lane takes a batch that no transaction can, with duplicates in it', async () => {
  const { bench } = site;
  await bench.accept({ key: 'known', orderingKey: 'ann' });
  const payload = noise(200_000);
  const batch = Array.from({ length: 100 }, (_, i) =>
    bench.acceptance({
      orderingKey: 'ann',
      ...(i === 7 ? { key: 'known' } : { key: `k${i === 60 ? 59 : i}` }),
      // More than 4 MB in all.
      ...(i % 4 === 0 ? { payload } : {}),
    }),
  );
  const accepted = await bench.store.accept(batch);
  const kinds = accepted.map((one) => one.kind);
  expect(kinds.flatMap((kind, i) => (kind === 'fresh' ? [] : [[i, kind]]))).toEqual([
    [7, 'existing'],
    [60, 'existing'],
  ]);
  const seqs = accepted.flatMap((one) => (one.kind === 'fresh' ? [one.snapshot.laneSeq] : []));
  expect(seqs).toEqual(Array.from({ length: 98 }, (_, i) => i + 2));
});
