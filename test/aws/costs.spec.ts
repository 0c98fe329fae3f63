import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Metered } from '../../src/engines/aws/table/meter.ts';
import { placeOf, shardOf } from '../../src/engines/aws/table/schema/ids.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { noise, type Site, siteOn } from './engine-on-table.ts';

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

/** What some work on the table of a site consumed, as the stand-in told by AWS's rules. */
async function costOf(site: Site, work: () => Promise<unknown>): Promise<Cost> {
  site.parts.meter.reset();
  await work();
  // How many shards there are is asked twice a minute, whatever happens to tasks: test/aws/shards.spec.ts.
  const { registry: _, ...told } = site.parts.meter.read();
  const kinds: Metered[] = Object.values(told);
  const sum = (of: (one: Metered) => number): number => kinds.reduce((total, one) => total + of(one), 0);
  return {
    writes: sum((one) => one.writeUnits + one.failedUnits),
    indexWrites: sum((one) => one.indexWriteUnits),
    reads: sum((one) => one.readUnits),
  };
}

const worker = 'w-1/0198c5f2-1c7e-7c4e-8f6a-5b1d2e3f4a5b';

async function claimAsSubmitted(site: Site, task: Snapshot): Promise<Snapshot> {
  const { bench } = site;
  const [seen] = (await bench.store.readAsSubmitted?.([task.id], bench.now)) ?? [];
  if (seen === undefined) throw new Error('no task');
  const claim = { kind: 'claim', worker, leaseMs: 30_000, lowest: true } as const;
  const change = bench.transition(seen, claim);
  const outcome = await bench.append(change);
  if (outcome.kind !== 'done') throw new Error(outcome.kind);
  return { ...seen, head: outcome.head, tip: change.events };
}

async function settle(site: Site, running: Snapshot): Promise<void> {
  const { bench } = site;
  const expect_ = { fencingToken: running.head.fencingToken, version: running.head.version };
  const outcome = await bench.append(bench.transition(running, bench.settleOf(running), { expect: expect_ }));
  if (outcome.kind !== 'done') throw new Error(outcome.kind);
}

test.each([
  { bytes: 1_024, submit: 3, reads: 0.5 },
  { bytes: 200, submit: 2, reads: 0.5 },
])(
  'a happy life with $bytes random bytes: $submit units to submit, 1 to claim, 1 to settle',
  async (size) => {
    const site = await siteOn(dynoxide.endpoint);
    const { bench } = site;
    let task: Snapshot | undefined;
    const submitted = await costOf(site, async () => {
      task = await bench.accept({ key: '0198c5f2-1c7e-7c4e-8f6a-5b1d2e3f4a5b', payload: noise(size.bytes) });
    });
    expect(submitted).toEqual({ writes: size.submit, indexWrites: 1, reads: 0 });
    if (task === undefined) expect.fail();
    const { id } = task;
    let running: Snapshot | undefined;
    const claimed = await costOf(site, async () => {
      running = await claimAsSubmitted(site, task as Snapshot);
    });
    expect(claimed).toEqual({ writes: 1, indexWrites: 0, reads: size.reads });
    expect(id).toBe(running?.id);
    const settled = await costOf(site, () => settle(site, running as Snapshot));
    expect(settled).toEqual({ writes: 1, indexWrites: 0, reads: 0 });
    await site.close();
  },
);

/** The other ways of a life, with 1 KB of random bytes: write units, those of them for indexes, read units. */
const prices: Readonly<Record<string, readonly [writes: number, indexWrites: number, reads: number]>> = {
  'a duplicate': [2, 0, 1],
  'a heartbeat': [1, 0, 0],
  'a failure': [3, 2, 0],
  'ready again': [2, 1, 0],
  'claimed again': [2, 1, 0],
  'a delayed submission': [8, 2, 0],
  'an ordered submission': [9, 1, 1],
  'an ordered end': [2, 1, 0],
  'to leave a lane': [1, 0, 0],
  'the lowest of a lane': [0, 0, 1],
  'handed over': [2, 1, 0],
  'a redrive into its lane': [8, 2, 1],
  'a new generation': [14, 2, 1],
  'to read a task': [0, 0, 2],
  'to verify a history': [0, 0, 3],
  'the unfinished of two': [0, 0, 5],
  'an expired head that is still due': [2, 1, 0.5],
};

test('the other ways of a life cost what docs/table-design.md says', async () => {
  const site = await siteOn(dynoxide.endpoint);
  const { bench } = site;
  const payload = noise(1_024);
  const found: Record<string, unknown> = {};
  const cost = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const { writes, indexWrites, reads } = await costOf(site, work);
    found[name] = [writes, indexWrites, reads];
  };
  let task = await bench.accept({ payload });
  const { key } = task.submission.scope;
  await cost('a duplicate', () => bench.store.accept([bench.acceptance({ key, payload })]));
  task = await bench.claim(task);
  const fencingToken = task.head.fencingToken;
  const beat = {
    kind: 'renewal',
    id: task.id,
    expect: { fencingToken },
    leaseEndAtMs: bench.now + 30_000,
  } as const;
  await cost('a heartbeat', () => bench.append({ ...beat, progress: undefined }));
  task = await bench.read(task);
  const failure = bench.transition(task, bench.failureOf(task, 'failed', 1_000));
  await cost('a failure', () => bench.append(failure));
  await bench.clock.advance(1_000);
  task = await bench.read(task);
  const ready = bench.headChange(task, { waitUntilMs: undefined });
  await cost('ready again', () => bench.append(ready));
  task = await bench.read(task);
  const claim = bench.transition(task, bench.claimOf());
  await cost('claimed again', () => bench.append(claim));
  await cost('a delayed submission', () => bench.accept({ payload, options: { delayMs: 5_000 } }));
  let laned: Snapshot | undefined;
  await cost('an ordered submission', async () => {
    laned = await bench.accept({ payload, orderingKey: 'ann' });
  });
  const running = await bench.claim(laned as Snapshot);
  await cost('an ordered end', () => settle(site, running));
  await cost('to leave a lane', () => bench.store.leave(bench.lane('ann'), running.id, running.laneSeq));
  await cost('the lowest of a lane', () => bench.store.lowest(bench.lane('ann')));
  const handedOver = bench.headChange(await bench.read(running), { handOver: false });
  await cost('handed over', () => bench.append(handedOver));
  let dead = await bench.die(await bench.accept({ orderingKey: 'bob' }));
  await bench.store.leave(bench.lane('bob'), dead.id, dead.laneSeq);
  dead = await bench.handedOver(dead);
  const redrive = bench.transition(dead, { kind: 'redrive', actor: 'op' }, { rejoinLane: true });
  await cost('a redrive into its lane', () => bench.append(redrive));
  const late = { key: 'k', payload, options: { windowMs: 60_000 } };
  const first = await bench.cancel(await bench.accept(late));
  // Its anchor lives longer by that, which the list projects.
  await bench.clock.advance(60_000);
  await cost('a new generation', () => bench.accept(late));
  await cost('to read a task', () => bench.store.read([first.id], bench.now));
  await cost('to verify a history', async () => bench.store.verify?.(first.id, bench.now));
  await bench.cancel(await bench.accept({ queue: 'other', payload }));
  await bench.accept({ queue: 'other', payload });
  await cost('the unfinished of two', () => bench.listAll({ queue: 'other', state: 'unfinished' }));
  const brief = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 1 };
  const expired = await bench.accept({ options: brief });
  await bench.clock.advance(3 * 3_600_000);
  const shard = shardOf(placeOf(expired.id)?.slot ?? '', bench.store.dueShards);
  await cost('an expired head that is still due', () =>
    bench.store.due(shard, expired.submission.expiresAtMs, 10),
  );
  expect(found).toEqual(prices);
  await site.close();
});
