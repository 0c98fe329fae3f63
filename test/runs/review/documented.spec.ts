/** Compares the exact figures of docs/review.md with the product, and its table of files with the path that the review shows. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import { downtimeOf, percentText } from '../../../src/core/objectives/budget.ts';
import { objectiveOf, slotMs } from '../../../src/core/objectives/objectives.ts';
import { raceOnAws } from '../races/on-aws.ts';
import { questions } from './questions.ts';
import { claimPair } from './race/claim-race.ts';
import { submissionPath } from './submission/path.ts';

const textOf = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const page = textOf('docs/review.md');
const plain = page.replaceAll(/\s+/g, ' ');

it('docs/review.md has a section for each question, in the order of the review', () => {
  const sections = [...page.matchAll(/^## (\d)\. /gm)].map(([, number]) => Number(number));
  expect(sections).toEqual(questions.map(({ number }) => number));
});

it('docs/review.md lists the path of a repeated submission as the review shows it, and each function exists', () => {
  const rows = [...page.matchAll(/^\| (?:both|caller|AWS|SQLite) \| `([^`]+)` \| `([^`]+)` \| (.*) \|$/gm)];
  expect(rows.map(([, file, name, does]) => ({ file, name, does }))).toEqual(
    submissionPath.map(({ file, name, does }) => ({ file, name, does })),
  );
  for (const { file, name } of submissionPath) {
    expect(existsSync(new URL(`../../../${file}`, import.meta.url)), file).toBe(true);
    expect(textOf(file), `${file} ${name}`).toMatch(new RegExp(`(function |async |^ +)${name}[<(]`, 'm'));
  }
});

it('docs/review.md names the lease, the guard and the heartbeat of the product', () => {
  const [leaseS, guardS, beatS] = [timing.leaseMs, timing.clockGuardMs, timing.heartbeatMs].map(
    (ms) => ms / 1_000,
  );
  expect(plain).toContain(`A lease lasts ${leaseS} s. A worker renews it every ${beatS} s`);
  expect(plain).toContain(`a guard of ${guardS} s follows`);
  const nextS = (leaseS as number) + (guardS as number);
  expect(plain).toContain(`${nextS} s after the claim, or ${nextS} s after the last heartbeat`);
  expect(plain).toContain(`the next claim comes at ${(beatS as number) + nextS} s`);
});

it('docs/review.md computes the cost of two minutes as the product does', () => {
  const { badSlots, slots, budgetMs, used } = downtimeOf(objectiveOf('api-availability'), 120_000);
  const budgetSlots = budgetMs / slotMs;
  expect(plain).toContain(`${slots.toLocaleString('en')} slots, of which ${budgetSlots} may be bad`);
  expect(plain).toContain(
    `Two minutes are ${badSlots.most} slots: ${badSlots.most} / ${budgetSlots} = **${percentText(used)} %**`,
  );
});

it('docs/review.md shows the condition and the update of a claim as they stand on the wire', async () => {
  let expressions: readonly string[] = [];
  await raceOnAws(5, 1, (calls) => {
    expressions = claimPair(calls)?.refused.expressions ?? [];
  });
  expect(expressions.length).toBeGreaterThan(1);
  for (const expression of expressions) expect(page).toContain(expression);
});
