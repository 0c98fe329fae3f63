import fc from 'fast-check';
import { expect, it } from 'vitest';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { Identity } from './api.ts';
import { ReportTurns } from './report-turns.ts';

class Batches {
  readonly clock = virtualClock();
  readonly turns = new ReportTurns(this.clock);
  readonly begun: string[] = [];

  run(name: string, items: number, signal?: AbortSignal): Promise<void> {
    const identity = { name: name.split('/')[0] } as Identity;
    return this.turns.run(identity, items, async () => void this.begun.push(name), signal);
  }

  countOf(identity: string): number {
    return this.begun.filter((name) => name.startsWith(`${identity}/`)).length;
  }
}

it('heartbeats and settlements of one identity begin at once up to its share of a turn, and the others in later turns in their order', async () => {
  const batches = new Batches();
  const all = Array.from({ length: 20 }, (_, i) => batches.run(`a/${i}`, 100));
  expect(batches.begun).toHaveLength(11);
  await Promise.all([batches.clock.settle(), ...all]);
  expect(batches.begun).toEqual(Array.from({ length: 20 }, (_, i) => `a/${i}`));
  expect(batches.turns.waiting).toBe(0);
});

it('a heartbeat of one identity begins at once, however many of another identity wait', async () => {
  const batches = new Batches();
  for (let i = 0; i < 1_000; i++) void batches.run(`a/${i}`, 100);
  void batches.run('b/0', 1);
  expect(batches.countOf('b')).toBe(1);
  expect(batches.countOf('a')).toBe(11);
});

it('identities that all have many heartbeats begin them by turns, so that a new one waits for one turn', async () => {
  const batches = new Batches();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
    for (let i = 0; i < 200; i++) void batches.run(`${name}/${i}`, 100);
  void batches.run('g/0', 1);
  expect(batches.countOf('g')).toBe(0);
  let turns = 0;
  while (batches.countOf('g') === 0) {
    await new Promise<void>((resolve) => batches.clock.soon(resolve));
    turns++;
  }
  expect(turns).toBeLessThanOrEqual(3);
  expect(batches.countOf('a')).toBeLessThan(50);
});

it('a heartbeat whose caller goes away while it waits does not begin, and the next ones do', async () => {
  const batches = new Batches();
  void batches.run('a/0', 2_000);
  const gone = new AbortController();
  const left = batches.run('a/1', 1, gone.signal);
  const kept = batches.run('a/2', 1);
  gone.abort();
  await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
  await Promise.all([batches.clock.settle(), kept]);
  expect(batches.begun).toEqual(['a/0', 'a/2']);
});

it('a waiting batch begins after a bounded number of turns of the event loop, whatever batches others send without a pause', async () => {
  const batch = fc.integer({ min: 1, max: 1_024 });
  const floods = fc.array(fc.array(batch, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(floods, batch, async (sizes, size) => {
      const batches = new Batches();
      let isOver = false;
      const flood = async (name: string, own: readonly number[]): Promise<void> => {
        for (let i = 0; !isOver; i++) await batches.run(`${name}/${i}`, own[i % own.length] as number);
      };
      for (const [i, own] of sizes.entries()) for (let n = 0; n < 50; n++) void flood(`flood${i}`, own);
      const turn = (): Promise<void> => new Promise((resolve) => batches.clock.soon(resolve));
      for (let i = 0; i < 3; i++) await turn();
      void batches.run('late/0', size);
      for (let i = 0; i < 2 + sizes.length / 2; i++) await turn();
      isOver = true;
      expect(batches.countOf('late')).toBe(1);
    }),
    { numRuns: 30 },
  );
});
