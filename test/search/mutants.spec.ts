import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { CaseName } from './cases.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Each rule that is broken on purpose, the case that notices it, and by what. */
const caught: readonly (readonly [mutant: string, by: CaseName, invariant: string])[] = [
  [
    'acknowledged-before-the-send',
    'a task whose bell may be lost or doubled and whose lease may be spent',
    'acknowledgedEnds',
  ],
  [
    'message-deleted-before-the-settlement',
    'a task whose lease may be renewed when it is nearly spent',
    'acknowledgedEnds',
  ],
  [
    'sweep-clears-before-it-sends',
    'a delayed task, two sweeps, and a worker whose clock is slow',
    'acknowledgedEnds',
  ],
  [
    'lane-claim-without-the-lowest-check',
    'a lane of two whose first died, was driven again, and has an old bell',
    'oneLeaseALane',
  ],
  ['hand-over-clears-due-first', 'a lane of two between two workers and a sweep', 'acknowledgedEnds'],
  [
    'hand-over-takes-any-place-away',
    'a lane of two whose first died, between two sweeps and a redrive',
    'acknowledgedEnds',
  ],
  [
    'expiry-conditional-on-the-fencing-token-only',
    'a task whose lease may be renewed when it is nearly spent',
    'noValidLeaseIsTaken',
  ],
  [
    'no-fencing-condition',
    'a task whose lease may be renewed when it is nearly spent',
    'noStaleTokenChangesAnything',
  ],
  ['clear-without-its-revision', 'a task that fails and comes again', 'noStaleTokenChangesAnything'],
];

async function told(mutant: string, name: CaseName): Promise<{ invariant?: string; way?: string[] }> {
  const args = [main, '--mutant', mutant, '--case', name];
  // It ends with 1 where a rule was broken, which is what is hoped for.
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((ended) => ended);
  return JSON.parse(stdout);
}

describe('the search notices a wrong Holdfast', () => {
  it.each(caught)('%s', { timeout: 60_000 }, async (mutant, by, invariant) => {
    const found = await told(mutant, by);
    expect(found).toMatchObject({ invariant });
    expect(found.way?.length).toBeGreaterThan(0);
  });
});
