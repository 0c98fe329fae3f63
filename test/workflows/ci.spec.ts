/** Compares the jobs of CI with the steps of `npm run verify`, and both with docs/ci.md. */
import { expect, it } from 'vitest';
import { steps } from '../../scripts/verify.ts';
import { textOf, workflow } from './workflows.ts';

const { jobs } = workflow('ci.yml');
const scripts = (JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }).scripts;
const jobOf = (step: string): string => step.replaceAll(':', '-');

it('CI has one job for each step of verify, in its order', () => {
  expect(Object.keys(jobs)).toEqual(steps.map(jobOf));
});

it('a job of CI is a checkout, Node, npm ci and one script, so that the text of its last step reproduces its failure', () => {
  for (const step of steps) {
    const [checkout, node, ci, last, ...more] = jobs[jobOf(step)]?.steps ?? [];
    expect(more, step).toEqual([]);
    expect(checkout?.uses, step).toMatch(/^actions\/checkout@/);
    expect(node?.uses, step).toMatch(/^actions\/setup-node@/);
    expect(ci, step).toEqual({ run: 'npm ci' });
    expect(last, step).toEqual({ run: `npm run ${step}` });
    expect(Object.keys(scripts), step).toContain(step);
  }
});

it('docs/ci.md has a row for each job of CI with its command', () => {
  const rows = [
    ...textOf('docs/ci.md').matchAll(/^\| `([\w-]+)` \| (?:`npm test` or )?`(npm run [\w:]+)` \|/gm),
  ];
  expect(rows.map(([, job, command]) => [job, command])).toEqual(
    steps.map((step) => [jobOf(step), `npm run ${step}`]),
  );
});
