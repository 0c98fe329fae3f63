import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HoldfastError } from '../../src/core/errors.ts';
import type { AcceptOutcome } from '../../src/ports/task-store.ts';
import { ids } from '../contract/store-fixture.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { answerOf } from '../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type EngineOnTable, noise, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let engine: EngineOnTable;
const log = recordingLog();
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  engine = await openEngineOnTable(proxy.url, log);
});
afterEach(async () => {
  log.lines.length = 0;
  await engine.close();
  await proxy.close();
});

const prefix = 'com.amazonaws.dynamodb.v20120810#';

function cancelled(code: string, items: number) {
  const reasons = Array.from({ length: items }, (_, i) => ({ Code: i === 0 ? code : 'None' }));
  const __type = `${prefix}TransactionCanceledException`;
  return answerOf(400, { __type, Message: 'Transaction cancelled', CancellationReasons: reasons });
}

/** Lets the proxy answer the first `times` calls of a DynamoDB operation with `answer` instead of forwarding them. */
function answerInstead(operation: string, times: number, answer: ReturnType<typeof answerOf>): void {
  let left = times;
  proxy.hook({
    beforeRequest: (_, call) => (call.operation === operation && left-- > 0 ? answer : undefined),
  });
}

test.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
  'a DynamoDB transaction that was cancelled for %s is sent again',
  async (code) => {
    answerInstead('TransactWriteItems', 3, cancelled(code, 3));
    const task = await engine.fixture.accept({ orderingKey: 'ann' });
    expect(task.laneSeq).toBe(1);
    expect(proxy.count('TransactWriteItems')).toBe(4);
    expect(engine.parts.meter.of('accept').retries).toBe(3);
  },
);

test('a change of a task that conflicts with a transaction in progress is sent again', async () => {
  const task = await engine.fixture.accept();
  answerInstead(
    'UpdateItem',
    2,
    answerOf(400, { __type: `${prefix}TransactionConflictException`, message: 'busy' }),
  );
  expect((await engine.fixture.claim(task)).head.revision).toBe(2);
});

test('a submission whose transaction always conflicts fails with a retryable error that says how long to wait', async () => {
  answerInstead('TransactWriteItems', 1_000, cancelled('TransactionConflict', 3));
  const [accepted] = await engine.fixture.store.accept([engine.fixture.acceptance({ orderingKey: 'ann' })]);
  if (accepted?.kind !== 'failed') expect.fail(accepted?.kind);
  expect(accepted.error).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'STORE_BUSY',
    retryAfterMs: 500,
  });
  expect(accepted.error.retryable).toBe(true);
});

test('a change that is still throttled after the retries of the SDK fails with STORE_BUSY, and no other change of its batch fails', async () => {
  const task = await engine.fixture.accept();
  const running = await engine.fixture.claim(await engine.fixture.accept());
  const __type = `${prefix}ProvisionedThroughputExceededException`;
  const throttled = answerOf(400, { __type, message: 'slow down' });
  proxy.hook({
    beforeRequest: (_, { operation, keys }) =>
      operation === 'UpdateItem' && keys.some((key) => key.includes(task.id.split('.')[0] ?? ''))
        ? throttled
        : undefined,
  });
  const { fixture } = engine;
  const outcomes = await fixture.store.append([
    fixture.transition(task, fixture.claimCommand()),
    fixture.transition(running, fixture.settleCommand(running)),
  ]);
  expect(outcomes.map((one) => one.kind)).toEqual(['failed', 'done']);
  expect(outcomes[0]).toMatchObject({
    error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY', retryAfterMs: 1_000 },
  });
});

test('a missing DynamoDB table is reported as BAD_CONFIGURATION with the name of the table', async () => {
  const __type = `${prefix}ResourceNotFoundException`;
  answerInstead('PutItem', 1, answerOf(400, { __type, message: 'Requested resource not found' }));
  const [accepted] = await engine.fixture.store.accept([engine.fixture.acceptance()]);
  expect(accepted).toMatchObject({
    error: {
      code: 'FAILED_PRECONDITION',
      reason: 'BAD_CONFIGURATION',
      message: expect.stringContaining(engine.table),
    },
  });
});

test('of two workers that claim one task at the same time, the loser gets the name of the winner', async () => {
  const { fixture } = engine;
  const task = await fixture.accept();
  const claims = ['ann', 'bob'].map((worker) => {
    const claim = {
      kind: 'claim',
      worker,
      leaseMs: 30_000,
      leaseSecret: '',
      lowest: true,
      begins: true,
    } as const;
    return fixture.append(fixture.transition(task, claim));
  });
  const outcomes = await Promise.all(claims);
  const won = outcomes.findIndex((one) => one.kind === 'done');
  const winner = ['ann', 'bob'][won];
  expect(outcomes.map((one) => one.kind).toSorted()).toEqual(['conflict', 'done']);
  expect(outcomes[1 - won]).toMatchObject({ current: { head: { worker: winner } } });
  const [line] = log.lines.filter((one) => one.level === 'info');
  expect(line).toMatchObject({ task_id: task.id, queue: 'mail', winner, attempt: 1 });
  const err = line?.err as HoldfastError;
  expect(err).toMatchObject({ code: 'ABORTED', reason: 'CONFLICT', taskId: task.id });
  expect(err.message).toContain(`worker '${winner}' has it`);
  expect((err.cause as Error).name).toBe('ConditionalCheckFailedException');
});

test('of two nodes that redrive one task at the same time, the loser gets the current state of the task', async () => {
  const { fixture } = engine;
  const first = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
  await fixture.store.leaveLane(fixture.lane('ann'), first.id, first.laneSeq);
  const handed = await fixture.finishHandOver(first);
  const redrive = fixture.transition(handed, { kind: 'redrive', actor: 'op' }, { rejoinLane: true });
  const other = engine.another(proxy.url);
  const outcomes = await Promise.all([
    fixture.append(redrive),
    other.store.append([redrive]).then(([one]) => one),
  ]);
  expect(outcomes.map((one) => one?.kind).toSorted()).toEqual(['conflict', 'done']);
  expect(await fixture.store.lowest(fixture.lane('ann'))).toEqual({ id: first.id, seq: 2 });
  const current = outcomes.find((one) => one?.kind === 'conflict');
  expect(current).toMatchObject({ current: { head: { state: 'waiting' }, laneSeq: 2 } });
});

test('a dead task that is redriven during a new submission of its idempotency key keeps the key', async () => {
  const { fixture } = engine;
  const late = { key: 'k', options: { windowMs: 60_000 } };
  const dead = await fixture.die(await fixture.accept(late));
  await fixture.clock.advance(60_000);
  let redriving: Promise<unknown> | undefined;
  proxy.hook({
    beforeRequest: async (_, { operation }) => {
      if (operation !== 'TransactWriteItems') return undefined;
      redriving ??= fixture.redrive(dead);
      await redriving;
      return undefined;
    },
  });
  const [accepted] = await fixture.store.accept([fixture.acceptance(late)]);
  expect(redriving).toBeDefined();
  expect(accepted).toEqual({ kind: 'existing', snapshot: await fixture.read(dead) });
  expect(accepted).toMatchObject({ snapshot: { head: { state: 'waiting' } } });
});

test('processes that submit tasks to one lane at the same time give each task its own place, in the order of the commits', async () => {
  const { fixture } = engine;
  const others = [engine.parts, engine.another(proxy.url), engine.another(proxy.url)];
  const accepted = await Promise.all(
    others.map(async ({ store }) => {
      const all: AcceptOutcome[] = [];
      for (let i = 0; i < 5; i++) {
        const batch = Array.from({ length: 4 }, () => fixture.acceptance({ orderingKey: 'ann' }));
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
  const listed = await fixture.listAll({ orderingKey: 'ann' });
  const inOrder = accepted.flat().toSorted((a, b) => (a.laneSeq ?? 0) - (b.laneSeq ?? 0));
  expect(ids(listed.items)).toEqual(ids(inOrder));
});

test('a batch of tasks of one lane that is too large for one transaction is accepted in order, and the duplicates in it are found', async () => {
  const { fixture } = engine;
  await fixture.accept({ key: 'known', orderingKey: 'ann' });
  const payload = noise(200_000);
  const batch = Array.from({ length: 100 }, (_, i) =>
    fixture.acceptance({
      orderingKey: 'ann',
      ...(i === 7 ? { key: 'known' } : { key: `k${i === 60 ? 59 : i}` }),
      // The payloads together exceed the 4 MB that one transaction may have.
      ...(i % 4 === 0 ? { payload } : {}),
    }),
  );
  const accepted = await fixture.store.accept(batch);
  const kinds = accepted.map((one) => one.kind);
  expect(kinds.flatMap((kind, i) => (kind === 'fresh' ? [] : [[i, kind]]))).toEqual([
    [7, 'existing'],
    [60, 'existing'],
  ]);
  const seqs = accepted.flatMap((one) => (one.kind === 'fresh' ? [one.snapshot.laneSeq] : []));
  expect(seqs).toEqual(Array.from({ length: 98 }, (_, i) => i + 2));
});
