/** Checks that docs/what-happens-when.md names only tests that exist, and at least one for each of its rows. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** Returns the cells of each row of the tables that have a column with this name at this end of their rows. */
function rowsOf(text: string, header: RegExp): string[][] {
  const lines = text.split('\n');
  return lines.flatMap((line, i) => {
    if (!header.test(line)) return [];
    const rows = lines.slice(i + 2);
    const end = rows.findIndex((row) => !row.startsWith('|'));
    return rows.slice(0, end).map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  });
}

const page = read('docs/what-happens-when.md');
const tests = rowsOf(page, /^\| number \|/);

it('docs/what-happens-when.md names a test for each of its rows, and each of its tests for some row', () => {
  const named = rowsOf(page, /\| tests \|$/).map((cells) => cells.at(-1)?.split(', ') ?? []);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((numbers) => numbers.some((number) => !/^\d+$/.test(number)))).toEqual([]);
  expect(new Set(named.flat())).toEqual(new Set(tests.map(([number]) => number)));
});

it('each test that docs/what-happens-when.md names is in the file that it names', () => {
  const inFiles = tests.filter(([, where = '']) => !where.startsWith('`npm run '));
  expect(inFiles.length).toBeGreaterThan(20);
  const missing = inFiles.filter(([, where = '', title = '']) => {
    const file = /^`([^`]+\.spec\.ts)`/.exec(where)?.[1];
    return file === undefined || !read(file).includes(`'${title}'`);
  });
  expect(missing).toEqual([]);
});

it('each command that docs/what-happens-when.md names is a script of the project', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> };
  const named = tests.flatMap(([, where = '']) => /^`npm run ([\w:-]+)/.exec(where)?.[1] ?? []);
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
