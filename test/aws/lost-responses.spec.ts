import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { queue } from '../contract/store-fixture.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type EngineOnTable, noise, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let engine: EngineOnTable;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  engine = await openEngineOnTable(proxy.url);
});
afterEach(async () => {
  await engine.close();
  await proxy.close();
});

const writeOperation = /^(PutItem|UpdateItem|DeleteItem|TransactWriteItems)$/;

/**
 * Runs `work` while a proxy loses the response to the first try of every write: DynamoDB does the write, and the SDK
 * sends it again.
 */
async function losingAnswers<T>(work: () => Promise<T>): Promise<T> {
  const seen = new Set<string>();
  let lost = 0;
  proxy.hook({
    afterRequest: (_, { operation, body }) => {
      const request = JSON.stringify(body);
      if (!writeOperation.test(operation) || seen.has(request)) return undefined;
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

test('a submission whose response is lost is accepted as new, not as a duplicate of itself', async () => {
  const { fixture } = engine;
  const [accepted] = await losingAnswers(() => fixture.store.accept([fixture.acceptance({ key: 'k' })]));
  expect(accepted?.kind).toBe('fresh');
  const [again] = await fixture.store.accept([fixture.acceptance({ key: 'k' })]);
  expect(again?.kind).toBe('existing');
});

test('a delayed task, a task of a lane and a later task of a used idempotency key are accepted as new although the response is lost', async () => {
  const { fixture } = engine;
  const delayed = await losingAnswers(() => fixture.accept({ options: { delayMs: 1_000 } }));
  expect(await fixture.read(delayed)).toEqual(delayed);
  const laned = await losingAnswers(() => fixture.acceptMany(3, () => ({ orderingKey: 'ann' })));
  expect(laned.map((task) => task.laneSeq)).toEqual([1, 2, 3]);
  const late = { key: 'k', options: { windowMs: 60_000 } };
  await fixture.cancel(await fixture.accept(late));
  await fixture.clock.advance(60_000);
  const second = await losingAnswers(() => fixture.accept(late));
  expect(await fixture.store.byKey(second.submission.scope, fixture.now)).toEqual(second);
});

test('a claim, a heartbeat and a settlement whose response is lost take effect exactly once', async () => {
  const { fixture } = engine;
  const task = await fixture.accept();
  const running = await losingAnswers(() => fixture.claim(task));
  expect(running.head).toMatchObject({ state: 'running', revision: 2, attempt: 1 });
  const expect_ = { fencingToken: running.head.fencingToken };
  const leaseEndAtMs = fixture.now + 50_000;
  const beat = {
    kind: 'renewal',
    id: task.id,
    expect: expect_,
    leaseEndAtMs,
    begun: true,
    progress: undefined,
  } as const;
  const beaten = await losingAnswers(() => fixture.append(beat));
  expect(beaten).toMatchObject({ kind: 'done', head: { revision: 3, leaseEndAtMs } });
  const result = noise(5_000);
  const done = await losingAnswers(() => fixture.succeed(running, result));
  expect(done.head).toMatchObject({ state: 'succeeded', revision: 4, version: 3 });
  expect(done.tip.map((event) => event.kind)).toEqual(['claimed', 'succeeded']);
  expect(Buffer.compare((await fixture.store.result(task.id)) ?? new Uint8Array(), result)).toBe(0);
});

test('events moved out of a full head are kept exactly once although responses are lost', async () => {
  const { fixture } = engine;
  let task = await fixture.accept({ options: { retry: { maxAttempts: 100 } } });
  const attempts = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      task = await fixture.fail(await fixture.claim(task), 0);
      task = await fixture.makeReady(task);
    }
  };
  await attempts(9);
  // The test makes only five attempts, because the SDK stops retrying when its retry budget is used up.
  await losingAnswers(() => attempts(5));
  expect(task.tip.length).toBeLessThan(28);
  expect((await fixture.store.history(task.id, 0)).map((event) => event.kind)).toEqual([
    'submitted',
    ...Array.from({ length: 14 }, () => ['claimed', 'failed']).flat(),
  ]);
  expect(await fixture.store.verify?.(task.id, fixture.now)).toMatchObject({ fault: undefined });
});

test('a redriven task joins its lane only once although the response to the redrive is lost', async () => {
  const { fixture } = engine;
  const first = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
  await losingAnswers(() => fixture.store.leaveLane(fixture.lane('ann'), first.id, first.laneSeq));
  const handed = await fixture.finishHandOver(first);
  const redriven = await losingAnswers(() => fixture.redrive(handed, true));
  expect(redriven.laneSeq).toBe(2);
  expect(await fixture.store.lowest(fixture.lane('ann'))).toEqual({ id: first.id, seq: 2 });
});

test('a registry write whose response is lost is reported as successful', async () => {
  const { registry } = engine.parts;
  expect(await losingAnswers(() => registry.put('queue', 'a', 1, 'absent'))).toBe(true);
  expect(await losingAnswers(() => registry.put('queue', 'a', 2, 1))).toBe(true);
  expect(await registry.get('queue', 'a')).toEqual({ key: 'a', value: 2, rev: 2 });
  expect(await registry.put('queue', 'a', 3, 1)).toBe(false);
});

test('if no response to a write arrives, the caller gets UNAVAILABLE because the outcome is unknown', async () => {
  const { fixture } = engine;
  proxy.hook({ afterRequest: (_, { operation }) => (operation === 'PutItem' ? 'lose' : undefined) });
  const [failed] = await fixture.store.accept([fixture.acceptance({ key: 'k' })]);
  expect(failed).toMatchObject({ kind: 'failed', error: { code: 'UNAVAILABLE', reason: 'STORE_FAILED' } });
  proxy.hook({});
  expect(
    (await fixture.store.list({ ...queue }, { limit: 9, cursor: undefined, nowMs: fixture.now })).items,
  ).toHaveLength(1);
});
