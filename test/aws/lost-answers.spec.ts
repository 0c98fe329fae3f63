import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { queue } from '../contract/store-fixture.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { noise, type Site, siteOn } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let site: Site;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  site = await siteOn(proxy.url);
});
afterEach(async () => {
  await site.close();
  await proxy.close();
});

const writing = /^(PutItem|UpdateItem|DeleteItem|TransactWriteItems)$/;

/** Loses the answer to the first sending of every write: each is done, and then sent again by the SDK. */
async function losingAnswers<T>(work: () => Promise<T>): Promise<T> {
  const seen = new Set<string>();
  let lost = 0;
  proxy.hook({
    afterRequest: (_, { operation, body }) => {
      const request = JSON.stringify(body);
      if (!writing.test(operation) || seen.has(request)) return undefined;
      seen.add(request);
      lost++;
      return 'lose';
    },
  });
  try {
    const done = await work();
    expect(lost, 'no answer was lost').toBeGreaterThan(0);
    return done;
  } finally {
    proxy.hook({});
  }
}

test('a submission knows its own', async () => {
  const { bench } = site;
  const [accepted] = await losingAnswers(() => bench.store.accept([bench.acceptance({ key: 'k' })]));
  expect(accepted?.kind).toBe('fresh');
  const [again] = await bench.store.accept([bench.acceptance({ key: 'k' })]);
  expect(again?.kind).toBe('existing');
});

test('a delayed one, one of a lane and a later generation know their own', async () => {
  const { bench } = site;
  const delayed = await losingAnswers(() => bench.accept({ options: { delayMs: 1_000 } }));
  expect(await bench.read(delayed)).toEqual(delayed);
  const laned = await losingAnswers(() => bench.acceptMany(3, () => ({ orderingKey: 'ann' })));
  expect(laned.map((task) => task.laneSeq)).toEqual([1, 2, 3]);
  const late = { key: 'k', options: { windowMs: 60_000 } };
  await bench.cancel(await bench.accept(late));
  await bench.clock.advance(60_000);
  const second = await losingAnswers(() => bench.accept(late));
  expect(await bench.store.byKey(second.submission.scope, bench.now)).toEqual(second);
});

test('a claim, a heartbeat and a settlement know their own, and none of them counts twice', async () => {
  const { bench } = site;
  const task = await bench.accept();
  const running = await losingAnswers(() => bench.claim(task));
  expect(running.head).toMatchObject({ state: 'running', revision: 2, attempt: 1 });
  const expect_ = { fencingToken: running.head.fencingToken };
  const leaseEndAtMs = bench.now + 50_000;
  const beat = { kind: 'renewal', id: task.id, expect: expect_, leaseEndAtMs, progress: undefined } as const;
  const beaten = await losingAnswers(() => bench.append(beat));
  expect(beaten).toMatchObject({ kind: 'done', head: { revision: 3, leaseEndAtMs } });
  const result = noise(5_000);
  const done = await losingAnswers(() => bench.succeed(running, result));
  expect(done.head).toMatchObject({ state: 'succeeded', revision: 4, version: 3 });
  expect(done.tip.map((event) => event.kind)).toEqual(['claimed', 'succeeded']);
  expect(Buffer.compare((await bench.store.result(task.id)) ?? new Uint8Array(), result)).toBe(0);
});

test('what makes room in a full tip is done once', async () => {
  const { bench } = site;
  let task = await bench.accept({ options: { retry: { maxAttempts: 100 } } });
  const attempts = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      task = await bench.fail(await bench.claim(task), 0);
      task = await bench.makeReady(task);
    }
  };
  await attempts(9);
  // The client gives up where it has to repeat too much.
  await losingAnswers(() => attempts(5));
  expect(task.tip.length).toBeLessThan(28);
  expect((await bench.store.history(task.id, 0)).map((event) => event.kind)).toEqual([
    'submitted',
    ...Array.from({ length: 14 }, () => ['claimed', 'failed']).flat(),
  ]);
  expect(await bench.store.verify?.(task.id, bench.now)).toMatchObject({ fault: undefined });
});

test('a redrive joins its lane once', async () => {
  const { bench } = site;
  const first = await bench.die(await bench.accept({ orderingKey: 'ann' }));
  await losingAnswers(() => bench.store.leave(bench.lane('ann'), first.id, first.laneSeq));
  const handed = await bench.handedOver(first);
  const redriven = await losingAnswers(() => bench.redrive(handed, true));
  expect(redriven.laneSeq).toBe(2);
  expect(await bench.store.lowest(bench.lane('ann'))).toEqual({ id: first.id, seq: 2 });
});

test('a registered value knows its own', async () => {
  const { registry } = site.parts;
  expect(await losingAnswers(() => registry.put('queue', 'a', 1, 'absent'))).toBe(true);
  expect(await losingAnswers(() => registry.put('queue', 'a', 2, 1))).toBe(true);
  expect(await registry.get('queue', 'a')).toEqual({ key: 'a', value: 2, rev: 2 });
  expect(await registry.put('queue', 'a', 3, 1)).toBe(false);
});

test('where no answer comes at all the caller is told that the outcome is unknown', async () => {
  const { bench } = site;
  proxy.hook({ afterRequest: (_, { operation }) => (operation === 'PutItem' ? 'lose' : undefined) });
  const [failed] = await bench.store.accept([bench.acceptance({ key: 'k' })]);
  expect(failed).toMatchObject({ kind: 'failed', error: { code: 'UNAVAILABLE', reason: 'STORE_FAILED' } });
  proxy.hook({});
  expect(
    (await bench.store.list({ ...queue }, { limit: 9, cursor: undefined, nowMs: bench.now })).items,
  ).toHaveLength(1);
});
