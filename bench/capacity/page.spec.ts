import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cost } from './measured.ts';
import { capacityPage } from './page.ts';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

it('docs/capacity.md is what npm run docs:capacity writes', () => {
  expect(page('capacity.md')).toBe(capacityPage());
});

/** The rows of docs/cost.md that the capacity is computed from, and their names in the measurement. */
const rows = [
  ['**submit→done, 200 B**', 'submit→done, 200 B'],
  ['**submit→done, 1 KB random**', 'submit→done, 1 KB random'],
  ['submit→done, 1 KB, ordered, full batches', 'submit→done, 1 KB, ordered, full batches'],
  ['heartbeat', 'heartbeat'],
] as const;

it('docs/cost.md has the write and read units of the recorded measurement', () => {
  for (const [title, name] of rows) {
    const line = page('cost.md')
      .split('\n')
      .find((one) => one.startsWith(`| ${title} |`));
    const cells = line?.split('|').map((cell) => cell.trim()) ?? [];
    const row = cost.rows.find((one) => one.row === name);
    const millions = (value = 0): string => (value === 0 ? '–' : `${(value / 1e6).toFixed(2)} M`);
    expect([cells[2], cells[5]], name).toEqual([millions(row?.units.writes), millions(row?.units.reads)]);
  }
});
