import { describe, expect, it } from 'vitest';
import { runSeed } from './run-seed.ts';

/** The events that must each happen at least once in the simulated clusters of one test. */
const expectedEvents = [
  'claimReleased (never acknowledged)',
  'cancel wave',
  'cancelRequested',
  'cancelled',
  'cancelled (skipped)',
  'died (attempts)',
  'died (attempts, holding its lane)',
  'died (deadline)',
  'died (fatal)',
  'died (lifetime)',
  'died (workerLost)',
  'failed',
  'laneReleased',
  'leaseExpired',
  'node stopped',
  'process ended by its task',
  'queue paused',
  'redriven',
  'redriven (in its held lane)',
  'server gap',
  'snoozed',
  'submitted again',
  'succeeded',
  'worker stopped',
  'verdict BACKOFF',
  'verdict CANCEL_ASKED',
  'verdict LANE_WAITS',
  'verdict LEASE_LOST',
  'verdict QUEUE_PAUSED',
  'verdict RUNNING',
  'verdict RUNNING_SILENT',
  'verdict SNOOZED',
];

/** So many clusters are played at least. Rare events, such as `laneReleased`, happen in about one of eight. */
const fewestSeeds = 8;
const mostSeeds = 60;

/** The timeout of each test in ms. The run of one simulated cluster takes a second or more on a busy machine. */
const timeoutMs = 60_000;

describe('a simulated cluster', { timeout: timeoutMs }, () => {
  it('makes exactly the same calls in every run with the same seed', async () => {
    const [first, second] = [await runSeed(7), await runSeed(7)];
    expect(second).toEqual(first);
  });

  it('makes different calls if the seed is different', async () => {
    expect((await runSeed(8)).hash).not.toBe((await runSeed(7)).hash);
  });

  it('violates no invariant with an external or a transactional broker, and covers every expected event', async () => {
    const missing = new Set(expectedEvents);
    for (let seed = 1; seed <= fewestSeeds || (missing.size > 0 && seed <= mostSeeds); seed++) {
      const { failure, commits, events } = await runSeed(seed);
      expect(failure).toBeUndefined();
      expect(commits).toBeGreaterThan(200);
      for (const event of events.keys()) missing.delete(event);
    }
    expect([...missing]).toEqual([]);
  });
});
