import { beforeEach, expect, test } from 'vitest';
import { type StallingClock, stallingClock } from '../../../test/fixtures/stalling-clock.ts';
import type { MemoryEngine } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import type { TaskStore } from '../../ports/task-store.ts';
import { createService } from '../../service/create-service.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { type Runtime, startRuntime } from '../runtime.ts';
import type { DutyOptions } from './duties.ts';
import { nodeKind } from './membership.ts';
import type { NodeEntry } from './shard-ownership.ts';

interface Sweep {
  readonly node: string;
  readonly shard: number;
  readonly atMs: number;
}

const shards = 8;
let clock: VirtualClock;
let engine: MemoryEngine;
let sweeps: Sweep[];
/** For each queue, the names of the nodes that listed its tasks. */
let listers: Map<string, Set<string>>;
/** Returns the number of shards that the node of this name finds when it counts the shards. */
let counted: (node: string) => number;
beforeEach(() => {
  counted = () => shards;
  listers = new Map();
  clock = virtualClock();
  engine = externalMemory({ clock });
  sweeps = [];
});

interface Node {
  readonly name: string;
  readonly clock: StallingClock;
  readonly runtime: Runtime;
  kill(): void;
}

async function node(name: string, options: DutyOptions = {}, offsetMs = 0): Promise<Node> {
  const own = stallingClock(clock.process(offsetMs));
  const ports = engine.connect(name);
  const store: TaskStore = Object.create(ports.store, {
    due: {
      value: (...args: Parameters<TaskStore['due']>) => {
        sweeps.push({ node: name, shard: args[0], atMs: clock.now() });
        return ports.store.due(...args);
      },
    },
    dueShards: { get: () => counted(name) },
    countDueShards: { value: async () => counted(name) },
    list: {
      value: (...[filter, page]: Parameters<TaskStore['list']>) => {
        listers.set(filter.queue, (listers.get(filter.queue) ?? new Set()).add(name));
        return ports.store.list(filter, page);
      },
    },
  });
  const running = await createService({
    ...ports,
    store,
    node: name,
    clock: own,
    log: silentLog,
    createQueues: true,
  });
  const runtime = startRuntime(running, options);
  return { name, clock: own, runtime, kill: () => own.kill() };
}

/** Returns for each shard the names of the nodes that swept it in the last `ms` milliseconds. */
function sweptIn(ms: number): Map<number, Set<string>> {
  const by = new Map<number, Set<string>>();
  for (const { node: name, shard, atMs } of sweeps) {
    if (atMs <= clock.now() - ms) continue;
    by.set(shard, (by.get(shard) ?? new Set()).add(name));
  }
  return by;
}

/** Expects that each shard is swept by exactly one node, and returns how many shards each node sweeps. */
function sharedOut(count = shards): Record<string, number> {
  const by = sweptIn(3_000);
  expect(by.size).toBe(count);
  const counts: Record<string, number> = {};
  for (const names of by.values()) {
    expect([...names]).toHaveLength(1);
    for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/**
 * Returns the longest time in ms in which several nodes swept the same shard, and the longest time in which no node swept
 * a shard.
 */
function longest(): { overlapMs: number; gapMs: number } {
  let overlapMs = 0;
  let gapMs = 0;
  for (let shard = 0; shard < shards; shard++) {
    const mine = sweeps.filter((one) => one.shard === shard);
    let overlapSinceMs: number | undefined;
    for (const [i, { node: name, atMs }] of mine.entries()) {
      gapMs = Math.max(gapMs, atMs - (mine[i - 1]?.atMs ?? atMs));
      const isShared = mine.some((other) => other.node !== name && Math.abs(other.atMs - atMs) < 1_500);
      overlapSinceMs = isShared ? (overlapSinceMs ?? atMs) : undefined;
      if (overlapSinceMs !== undefined) overlapMs = Math.max(overlapMs, atMs - overlapSinceMs);
    }
  }
  return { overlapMs, gapMs };
}

test('a single node sweeps all shards of the index of due tasks from its start', async () => {
  await node('a');
  await clock.advance(2_000);
  expect(sharedOut()).toEqual({ a: 8 });
});

test('nodes that start later get an even share of the shards of the due index, and every shard is swept meanwhile', async () => {
  await node('a');
  await clock.advance(7_300);
  await node('b');
  await node('c');
  await clock.advance(20_000);
  expect(Object.values(sharedOut()).sort()).toEqual([2, 3, 3]);
  expect(longest()).toEqual({ overlapMs: expect.toSatisfy((ms) => ms <= 7_000), gapMs: 1_000 });
});

test('nodes that start at the same moment take different seats, the numbers by which they share the shards', async () => {
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => node(name)));
  await clock.advance(20_000);
  expect(sharedOut()).toEqual({ a: 2, b: 2, c: 2, d: 2 });
});

test('with more nodes than shards, some nodes sweep no shard', async () => {
  await Promise.all(Array.from({ length: 10 }, (_, i) => node(`n${i}`)));
  await clock.advance(20_000);
  expect(Object.values(sharedOut())).toEqual(Array(8).fill(1));
});

test('a shard that is added to the due index is swept by one node, once the owner of the shard has counted the shards again', async () => {
  await Promise.all(['a', 'b'].map((name) => node(name)));
  await clock.advance(20_000);
  counted = (name) => (name === 'a' ? 12 : shards);
  await clock.advance(25_000);
  const newShards = [...sweptIn(3_000)].filter(([shard]) => shard >= shards);
  expect(newShards.map(([, names]) => [...names])).toEqual([['a'], ['a']]);
  counted = () => 12;
  await clock.advance(8_000);
  expect(sharedOut(12)).toEqual({ a: 6, b: 6 });
});

test('the shards of a killed node are swept by other nodes within 15 s of its death', async () => {
  for (const lateMs of [0, 1_700, 4_990]) {
    clock = virtualClock();
    engine = externalMemory({ clock });
    sweeps = [];
    const [, , victim] = await Promise.all(['a', 'b', 'c'].map((name) => node(name)));
    await clock.advance(20_000 + lateMs);
    victim?.kill();
    const diedAtMs = clock.now();
    await clock.advance(15_000);
    const { gapMs } = longest();
    expect(gapMs).toBeLessThanOrEqual(15_000);
    const heirs = sweptIn(clock.now() - diedAtMs - 14_000);
    expect(heirs.size).toBe(shards);
    await clock.advance(8_000);
    expect(sharedOut()).toEqual({ a: 4, b: 4 });
  }
});

test('a draining node gives its shards back at once, and the other nodes sweep these shards after they have next renewed their leases', async () => {
  const [first] = await Promise.all(['a', 'b'].map((name) => node(name)));
  await clock.advance(20_000);
  sweeps = [];
  await first?.runtime.drain(0);
  await clock.advance(6_000);
  expect(sharedOut()).toEqual({ b: 8 });
  expect(sweeps.filter((one) => one.node === 'a')).toEqual([]);
  expect(longest().gapMs).toBeLessThanOrEqual(6_000);
});

test('the seat of a node (the number by which it shares the shards) is taken by another node after the node has left or died', async () => {
  for (let life = 0; life < 5; life++) {
    const one = await node(`n${life}`);
    await clock.advance(3_000);
    if (life % 2 === 0) await one.runtime.stop();
    else one.kill();
    await clock.advance(12_000);
  }
  expect(await engine.registry.list(nodeKind, '')).toHaveLength(1);
});

test('a node whose process was stalled sweeps no shard afterwards until it knows again which shards it owns', async () => {
  const [stalled] = await Promise.all(['a', 'b'].map((name) => node(name)));
  await clock.advance(20_000);
  stalled?.clock.stall();
  await clock.advance(40_000);
  expect(sharedOut()).toEqual({ b: 8 });
  sweeps = [];
  stalled?.clock.resume();
  await clock.settle();
  const stale = sweeps.filter((one) => one.node === 'a' && one.atMs === clock.now());
  expect(stale).toEqual([]);
  await clock.advance(12_000);
  expect(sharedOut()).toEqual({ a: 4, b: 4 });
  expect(longest().overlapMs).toBeLessThanOrEqual(6_000);
});

test('a node whose clock jumps an hour forward or back keeps its shards, and so do the other nodes', async () => {
  const [jumper] = await Promise.all(['a', 'b', 'c'].map((name) => node(name)));
  await clock.advance(20_000);
  const before = sweptIn(3_000);
  for (const ms of [3_600_000, -7_200_000]) {
    jumper?.clock.jump(ms);
    sweeps = [];
    await clock.advance(25_000);
    expect(sweptIn(3_000)).toEqual(before);
    expect(longest()).toEqual({ overlapMs: 0, gapMs: 1_000 });
  }
});

test('a node whose clock is an hour off takes its share of the shards, and no shard is swept by two nodes for longer than 11 s', async () => {
  await Promise.all(['a', 'b'].map((name) => node(name)));
  await clock.advance(20_000);
  await node('off', {}, 3_600_000);
  await clock.advance(25_000);
  expect(Object.values(sharedOut()).sort()).toEqual([2, 3, 3]);
  expect(longest().overlapMs).toBeLessThanOrEqual(11_000);
});

test('a node whose clock is too far off sweeps no shard and reports this in the registry; once the clock is right, the node gets its share of the shards again', async () => {
  let isFit = true;
  await node('a');
  await node('b', { fitness: () => ({ fit: isFit, clockOffsetMs: 2_500 }) });
  await clock.advance(20_000);
  isFit = false;
  sweeps = [];
  await clock.advance(10_000);
  expect(sharedOut()).toEqual({ a: 8 });
  expect(sweeps.some((one) => one.node === 'b')).toBe(false);
  const entries = (await engine.registry.list(nodeKind, '')).map((one) => one.value as NodeEntry);
  expect(entries.find((entry) => entry.name === 'b')).toMatchObject({ sweeps: false, clockOffsetMs: 2_500 });
  isFit = true;
  await clock.advance(15_000);
  expect(sharedOut()).toEqual({ a: 4, b: 4 });
});

test('a node that takes no part in the shared work sweeps no shard, even if it is the only node, and is not registered', async () => {
  await node('a', { takesPart: false });
  await clock.advance(20_000);
  expect(sweeps).toEqual([]);
  expect(await engine.registry.list(nodeKind, '')).toEqual([]);
});

test('each queue is reconciled (searched for lost dispatch messages) by one node, and every node reconciles some queues', async () => {
  const queues = Array.from({ length: 12 }, (_, i) => `queue-${i}`);
  for (const queue of queues) {
    const setting = { paused: false, onDead: 'release' };
    await engine.registry.put('queue', `default/${queue}`, setting, 'absent');
  }
  await Promise.all(['a', 'b', 'c'].map((name) => node(name)));
  await clock.advance(20_000);
  listers.clear();
  await clock.advance(3_600_000);
  expect([...listers.keys()].sort()).toEqual(queues.sort());
  for (const names of listers.values()) expect([...names]).toHaveLength(1);
  expect(new Set([...listers.values()].flatMap((names) => [...names])).size).toBe(3);
});

test('no node sweeps with an expired lease while the registry fails, and all nodes sweep again once the registry works', async () => {
  let isDown = false;
  clock = virtualClock();
  const before = async (): Promise<void> => {
    if (isDown) throw new Error('down');
  };
  engine = externalMemory({
    clock,
    faults: { before: ({ name }) => (name.startsWith('registry') ? before() : undefined) },
  });
  await Promise.all(['a', 'b'].map((name) => node(name)));
  await clock.advance(20_000);
  isDown = true;
  await clock.advance(10_000);
  sweeps = [];
  await clock.advance(20_000);
  expect(sweeps).toEqual([]);
  isDown = false;
  await clock.advance(8_000);
  expect(sharedOut()).toEqual({ a: 4, b: 4 });
});
