import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CallUsage } from '../../src/engines/aws/table/meter.ts';
import { addressOf, shardOf } from '../../src/engines/aws/table/schema/ids.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, noise, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

interface Cost {
  readonly writes: number;
  readonly indexWrites: number;
  readonly reads: number;
}

/**
 * Returns the capacity units that the DynamoDB calls of `work` used, as the DynamoDB stand-in counts them by AWS's
 * billing rules.
 */
async function costOf(engine: EngineOnTable, work: () => Promise<unknown>): Promise<Cost> {
  engine.parts.meter.reset();
  await work();
  // The calls of the registry are left out: the shard counts are read twice a minute, whatever happens to tasks
  // (test/aws/shards).
  const { registry: _, ...taskCalls } = engine.parts.meter.read();
  const kinds: CallUsage[] = Object.values(taskCalls);
  const sum = (of: (one: CallUsage) => number): number => kinds.reduce((total, one) => total + of(one), 0);
  return {
    writes: sum((one) => one.writeUnits + one.failedUnits),
    indexWrites: sum((one) => one.indexWriteUnits),
    reads: sum((one) => one.readUnits),
  };
}

const worker = 'w-1/0198c5f2-1c7e-7c4e-8f6a-5b1d2e3f4a5b';

async function claimAsSubmitted(engine: EngineOnTable, task: Snapshot): Promise<Snapshot> {
  const { fixture } = engine;
  const [seen] = (await fixture.store.readAsSubmitted?.([task.id], fixture.now)) ?? [];
  if (seen === undefined) throw new Error('no task');
  const claim = {
    kind: 'claim',
    worker,
    leaseMs: 30_000,
    leaseSecret: '',
    lowest: true,
    begins: true,
  } as const;
  const change = fixture.transition(seen, claim);
  const outcome = await fixture.append(change);
  if (outcome.kind !== 'done') throw new Error(outcome.kind);
  return { ...seen, head: outcome.head, tip: change.events };
}

async function settle(engine: EngineOnTable, running: Snapshot): Promise<void> {
  const { fixture } = engine;
  const expect_ = { fencingToken: running.head.fencingToken, version: running.head.version };
  const outcome = await fixture.append(
    fixture.transition(running, fixture.settleCommand(running), { expect: expect_ }),
  );
  if (outcome.kind !== 'done') throw new Error(outcome.kind);
}

test.each([
  { bytes: 1_024, submit: 3, reads: 0.5 },
  { bytes: 200, submit: 2, reads: 0.5 },
])(
  'a task of $bytes random bytes that succeeds at once costs $submit write units to submit, 1 to claim and 1 to settle',
  async (size) => {
    const engine = await openEngineOnTable(dynoxide.endpoint);
    const { fixture } = engine;
    let task: Snapshot | undefined;
    const submitted = await costOf(engine, async () => {
      task = await fixture.accept({
        key: '0198c5f2-1c7e-7c4e-8f6a-5b1d2e3f4a5b',
        payload: noise(size.bytes),
      });
    });
    expect(submitted).toEqual({ writes: size.submit, indexWrites: 1, reads: 0 });
    if (task === undefined) expect.fail();
    const { id } = task;
    let running: Snapshot | undefined;
    const claimed = await costOf(engine, async () => {
      running = await claimAsSubmitted(engine, task as Snapshot);
    });
    expect(claimed).toEqual({ writes: 1, indexWrites: 0, reads: size.reads });
    expect(id).toBe(running?.id);
    const settled = await costOf(engine, () => settle(engine, running as Snapshot));
    expect(settled).toEqual({ writes: 1, indexWrites: 0, reads: 0 });
    await engine.close();
  },
);

/**
 * Costs of operations on a task with 1 KB of random bytes: all write units, the part of them that the indexes use,
 * read units.
 */
const prices: Readonly<Record<string, readonly [writes: number, indexWrites: number, reads: number]>> = {
  'a duplicate': [2, 0, 1],
  'a heartbeat': [1, 0, 0],
  'a failure': [3, 2, 0],
  'to become ready again': [2, 1, 0],
  'a second claim': [2, 1, 0],
  'a delayed submission': [8, 2, 0],
  'an ordered submission': [9, 1, 1],
  'the end of an ordered task': [2, 1, 0],
  'to leave a lane': [1, 0, 0],
  'the lowest of a lane': [0, 0, 1],
  'whether a place is the first of its lane': [0, 0, 3],
  'whether a place is the first, again': [0, 0, 0],
  'to leave the middle of a lane': [1, 0, 1],
  'a hand-over': [2, 1, 0],
  'a redrive into its lane': [8, 2, 1],
  'a new generation': [14, 2, 1],
  'to read a task': [0, 0, 2],
  'to verify a history': [0, 0, 3],
  'to list the unfinished of two tasks': [0, 0, 5],
  'to list the ready of two tasks': [0, 0, 6],
  'the ready of two tasks by type': [0, 0, 5],
  'an expired head that is still due': [2, 1, 0.5],
};

test('heartbeats, failures, redrives, reads and other operations on a task cost the capacity units that docs/table-design.md lists', async () => {
  const engine = await openEngineOnTable(dynoxide.endpoint);
  const { fixture } = engine;
  const payload = noise(1_024);
  const found: Record<string, unknown> = {};
  const cost = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const { writes, indexWrites, reads } = await costOf(engine, work);
    found[name] = [writes, indexWrites, reads];
  };
  let task = await fixture.accept({ payload });
  const { key } = task.submission.scope;
  await cost('a duplicate', () => fixture.store.accept([fixture.acceptance({ key, payload })]));
  task = await fixture.claim(task);
  const fencingToken = task.head.fencingToken;
  const beat = {
    kind: 'renewal',
    id: task.id,
    expect: { fencingToken },
    leaseEndAtMs: fixture.now + 30_000,
    begun: false,
  } as const;
  await cost('a heartbeat', () => fixture.append({ ...beat, progress: undefined }));
  task = await fixture.read(task);
  const failure = fixture.transition(task, fixture.failCommand(task, 'failed', 1_000));
  await cost('a failure', () => fixture.append(failure));
  await fixture.clock.advance(1_000);
  task = await fixture.read(task);
  const ready = fixture.headChange(task, { waitUntilMs: undefined });
  await cost('to become ready again', () => fixture.append(ready));
  task = await fixture.read(task);
  const claim = fixture.transition(task, fixture.claimCommand());
  await cost('a second claim', () => fixture.append(claim));
  await cost('a delayed submission', () => fixture.accept({ payload, options: { delayMs: 5_000 } }));
  let laned: Snapshot | undefined;
  await cost('an ordered submission', async () => {
    laned = await fixture.accept({ payload, orderingKey: 'ann' });
  });
  const running = await fixture.claim(laned as Snapshot);
  await cost('the end of an ordered task', () => settle(engine, running));
  await cost('to leave a lane', () =>
    fixture.store.leaveLane(fixture.lane('ann'), running.id, running.laneSeq),
  );
  await cost('the lowest of a lane', () => fixture.store.lowest(fixture.lane('ann')));
  await cost('whether a place is the first of its lane', () => fixture.store.isFirst(fixture.lane('ann'), 5));
  await cost('whether a place is the first, again', () => fixture.store.isFirst(fixture.lane('ann'), 5));
  const [, middle] = await fixture.acceptMany(2, () => ({ orderingKey: 'eve' }));
  await cost('to leave the middle of a lane', () =>
    fixture.store.leaveLane(fixture.lane('eve'), middle?.id ?? '', middle?.laneSeq),
  );
  const handedOver = fixture.headChange(await fixture.read(running), { handOver: false });
  await cost('a hand-over', () => fixture.append(handedOver));
  let dead = await fixture.die(await fixture.accept({ orderingKey: 'bob' }));
  await fixture.store.leaveLane(fixture.lane('bob'), dead.id, dead.laneSeq);
  dead = await fixture.finishHandOver(dead);
  const redrive = fixture.transition(dead, { kind: 'redrive', actor: 'op' }, { rejoinLane: true });
  await cost('a redrive into its lane', () => fixture.append(redrive));
  const late = { key: 'k', payload, options: { windowMs: 60_000 } };
  const first = await fixture.cancel(await fixture.accept(late));
  // The second task of the key raises the TTL of the anchor (the submission item of the key's first task), and the
  // list index projects the TTL.
  await fixture.clock.advance(60_000);
  await cost('a new generation', () => fixture.accept(late));
  await cost('to read a task', () => fixture.store.read([first.id], fixture.now));
  await cost('to verify a history', async () => fixture.store.verify?.(first.id, fixture.now));
  await fixture.cancel(await fixture.accept({ queue: 'other', payload }));
  await fixture.accept({ queue: 'other', payload });
  await cost('to list the unfinished of two tasks', () =>
    fixture.listAll({ queue: 'other', state: 'unfinished' }),
  );
  await cost('to list the ready of two tasks', () => fixture.listAll({ queue: 'other', state: 'ready' }));
  await cost('the ready of two tasks by type', () =>
    fixture.store.readyByType({ tenant: 'acme', queue: 'other' }, fixture.now),
  );
  const brief = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 1 };
  const expired = await fixture.accept({ options: brief });
  await fixture.clock.advance(3 * 3_600_000);
  const shard = shardOf(addressOf(expired.id)?.slot ?? '', fixture.store.dueShards);
  await cost('an expired head that is still due', () =>
    fixture.store.due(shard, expired.submission.expiresAtMs, 10),
  );
  expect(found).toEqual(prices);
  await engine.close();
});
