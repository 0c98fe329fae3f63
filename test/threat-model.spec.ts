/** Checks that each test that docs/threat-model.md names exists, and that each line of its tables names one. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const page = readFileSync(new URL('docs/threat-model.md', root), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.endsWith('| shown by |'))
  .map((line) => line.replace(/ \|$/, '').split(' | ').at(-1) ?? '');

/** Splits the last cell of a line into the path and the title of its test. */
function testOf(cell: string): { path: string; title: string } | undefined {
  const found = /^`([\w./-]+\.ts)`: “(.+)”$/.exec(cell);
  return found === null ? undefined : { path: found[1] as string, title: found[2] as string };
}

it('each line of the threat model names a test by its path and its title', () => {
  expect(rows.length).toBeGreaterThan(40);
  expect(rows.filter((cell) => testOf(cell) === undefined)).toEqual([]);
});

it('each test that the threat model names exists under this title', () => {
  const missing = rows.filter((cell) => {
    const { path, title } = testOf(cell) ?? { path: '', title: '' };
    const file = new URL(path, root);
    if (path === '' || !existsSync(file)) return true;
    const source = readFileSync(file, 'utf8');
    return !["'", '`', '"'].some((quote) => source.includes(`${quote}${title}${quote}`));
  });
  expect(missing).toEqual([]);
});
