/**
 * Tests the shard counts that processes have cached, on virtual time. The registry is in memory, and calls to it are
 * slow, fail or stop on the way.
 */
import { expect, test } from 'vitest';
import { growShards, type ShardCounts } from '../../../src/engines/aws/index.ts';
import { Shards } from '../../../src/engines/aws/table/schema/shards.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { Registry } from '../../../src/ports/registry.ts';
import { externalMemory } from '../../../src/testing/external-broker.ts';
import { seededRandom } from '../../../src/testing/random.ts';
import { type VirtualClock, virtualClock } from '../../../src/testing/virtual-clock.ts';

const second = 1_000;
const minute = 60 * second;

type Random = () => number;

/**
 * Makes a registry call that is mostly quick. Sometimes the process stops during the call, or the request or the
 * response is lost.
 */
async function troubled<T>(clock: VirtualClock, random: Random, call: () => Promise<T>): Promise<T> {
  const way = async (): Promise<void> => {
    const fate = random();
    await clock.sleep(fate < 0.01 ? 5 * minute : random() * (fate < 0.1 ? 20 * second : 50));
    if (fate > 0.97) throw new Error('lost');
  };
  await way();
  const answer = await call();
  await way();
  return answer;
}

function troubledRegistry(registry: Registry, clock: VirtualClock, random: Random): Registry {
  return {
    get: (...of) => troubled(clock, random, () => registry.get(...of)),
    put: (...of) => troubled(clock, random, () => registry.put(...of)),
    list: (...of) => registry.list(...of),
  };
}

/**
 * Three faulty clocks: one with an offset, one of a machine that is suspended at times, and one that is set at times.
 */
const machines: readonly ((clock: VirtualClock, random: Random) => Pick<Clock, 'now' | 'monotonic'>)[] = [
  (clock) => ({ now: () => clock.now() + 2 * second, monotonic: () => clock.monotonic() }),
  (clock, random) => {
    let current = 0;
    let stands = false;
    let seen = 0;
    return {
      now: () => clock.now(),
      monotonic() {
        const passed = clock.monotonic() - seen;
        seen += passed;
        if (random() < 0.02) stands = !stands;
        if (stands) current += passed;
        return seen - current;
      },
    };
  },
  (clock, random) => {
    let off = 0;
    return {
      now() {
        if (random() < 0.2) off = (random() - 0.5) * 10 * minute;
        return clock.now() + off;
      },
      monotonic: () => clock.monotonic(),
    };
  },
];

const larger = (a: ShardCounts, b: ShardCounts): ShardCounts => ({
  list: Math.max(a.list, b.list),
  due: Math.max(a.due, b.due),
});

/**
 * Simulates three processes with one random seed. Returns the largest shard counts that were written to, and a text
 * for each read that missed shards.
 */
async function play(seed: number): Promise<{ written: ShardCounts; problems: string[] }> {
  const clock = virtualClock({ seed });
  const random = seededRandom(seed);
  const { registry } = externalMemory({ clock });
  const processes = machines.map((machine) => {
    const own: Clock = { ...clock, ...machine(clock, random) };
    return new Shards(troubledRegistry(registry, clock, random), own, silentLog);
  });
  let counts: ShardCounts = { list: 4, due: 8 };
  let written = counts;
  const problems: string[] = [];
  let grewAt = 0;
  const heldUntilMs: number[] = [];
  for (let step = 0; step < 800; step++) {
    await clock.advance(random() * (random() < 0.02 ? 100 : 4) * second);
    const which = Math.floor(random() * processes.length);
    const one = processes[which] as Shards;
    if (clock.now() < (heldUntilMs[which] ?? 0)) continue;
    // Sometimes a process is stopped or idle.
    if (random() < 0.02) heldUntilMs[which] = clock.now() + random() * 5 * minute;
    const what = random();
    // Shards are often added again within 20 steps of the last addition.
    if (what < (step - grewAt < 20 ? 0.05 : 0.005)) {
      grewAt = step;
      counts = { list: counts.list + 1, due: counts.due + (random() < 0.5 ? 1 : 0) };
      if (counts.list <= 64) await growShards(registry, counts);
    } else if (what < 0.5) written = larger(written, one.countsToWrite());
    else {
      const before = written;
      const check = ({ list, due }: ShardCounts): void => {
        if (list < before.list || due < before.due)
          problems.push(`step ${step}: reads ${list}, ${due} of ${before.list}, ${before.due} shards`);
      };
      // A failed read of the shard counts is reported to the caller, so the caller misses no shard.
      one.countsToRead().then(check, () => {});
    }
  }
  return { written, problems };
}

test('every reader reads all shards to which a process has written, also with wrong clocks, lost requests and stopped processes', async () => {
  let used = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const { written, problems } = await play(seed);
    expect(problems, `seed ${seed}`).toEqual([]);
    if (written.list > 4) used++;
  }
  // In most of the simulated runs, the new shards come into use.
  expect(used).toBeGreaterThan(200);
});
