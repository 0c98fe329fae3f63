import { describe, expect, it } from 'vitest';
import { runSeed, type SeedRun } from './run-seed.ts';

/** What must happen to tasks in a few worlds already. */
const paths = [
  'claimReleased (never heard of)',
  'cancelRequested',
  'cancelled',
  'cancelled (skipped)',
  'died (attempts)',
  'died (attempts, holding its lane)',
  'died (deadline)',
  'died (fatal)',
  'died (lifetime)',
  'failed',
  'leaseExpired',
  'node stopped',
  'redriven',
  'redriven (in its held lane)',
  'snoozed',
  'submitted again',
  'succeeded',
  'worker stopped',
];

/** Whole worlds take a second or more on a busy machine. */
const timeoutMs = 60_000;

describe('a simulated world', { timeout: timeoutMs }, () => {
  it('is decided by its seed alone, call by call', async () => {
    const [first, second] = [await runSeed(7), await runSeed(7)];
    expect(second).toEqual(first);
  });

  it('differs from that of another seed', async () => {
    expect((await runSeed(8)).hash).not.toBe((await runSeed(7)).hash);
  });

  it('keeps every rule in both natures of the bells, and is wild enough to count', async () => {
    const runs: SeedRun[] = [];
    for (let seed = 1; seed <= 8; seed++) runs.push(await runSeed(seed));
    expect(runs.map((run) => run.failure)).toEqual(runs.map(() => undefined));
    for (const { commits } of runs) expect(commits).toBeGreaterThan(200);
    const happened = new Set(runs.flatMap((run) => [...run.events.keys()]));
    expect(paths.filter((path) => !happened.has(path))).toEqual([]);
  });
});
