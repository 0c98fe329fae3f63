import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { CaseName } from './cases.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/**
 * Each mutant (a bug that is put into Holdfast), the search case in which the search finds it, and the rule that the
 * mutant breaks in that case.
 */
const caught: readonly (readonly [mutant: string, by: CaseName, invariant: string])[] = [
  [
    'acknowledged-before-the-send',
    'a task whose dispatch message may be lost or doubled and whose lease may expire',
    'acknowledgedEnds',
  ],
  [
    'message-deleted-before-the-settlement',
    'a task whose lease may be renewed shortly before it expires',
    'acknowledgedEnds',
  ],
  [
    'sweep-clears-before-it-sends',
    'a delayed task with two sweeps and a worker whose clock is slow',
    'acknowledgedEnds',
  ],
  [
    'lane-claim-without-the-lowest-check',
    'a lane of two tasks whose first died, was redriven, and has an old dispatch message',
    'oneLeaseALane',
  ],
  ['hand-over-clears-due-first', 'a lane of two tasks with two workers and a sweep', 'acknowledgedEnds'],
  [
    'hand-over-takes-any-place-away',
    'a lane of two tasks whose first died, with two sweeps and a redrive',
    'acknowledgedEnds',
  ],
  [
    'expiry-conditional-on-the-fencing-token-only',
    'a task whose lease may be renewed shortly before it expires',
    'noValidLeaseIsTaken',
  ],
  [
    'no-fencing-condition',
    'a task whose lease may be renewed shortly before it expires',
    'noStaleTokenChangesAnything',
  ],
  ['clear-without-its-revision', 'a task that fails and is retried', 'noStaleTokenChangesAnything'],
];

async function searchResult(
  mutant: string,
  name: CaseName,
): Promise<{ invariant?: string; steps?: string[] }> {
  const args = [main, '--mutant', mutant, '--case', name];
  // The search process exits with 1 if a rule was broken, which is the expected result.
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((ended) => ended);
  return JSON.parse(stdout);
}

describe('the exhaustive search detects the bug that is put into Holdfast', () => {
  it.each(caught)('%s', { timeout: 60_000 }, async (mutant, by, invariant) => {
    const found = await searchResult(mutant, by);
    expect(found).toMatchObject({ invariant });
    expect(found.steps?.length).toBeGreaterThan(0);
  });
});
