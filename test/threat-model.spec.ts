/** Checks that each test and attack that docs/threat-model.md names exists, and that each line of its tables names a test. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { attacks } from './runs/hog/attacks.ts';

const root = new URL('../', import.meta.url);
const page = readFileSync(new URL('docs/threat-model.md', root), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.endsWith('| shown by |'))
  .map((line) => line.replace(/ \|$/, '').split(' | ').at(-1) ?? '');

interface NamedTest {
  readonly path: string;
  readonly title: string;
}

/** Splits the last cell of a line into the path and the title of its test. */
function testOf(cell: string): NamedTest | undefined {
  const found = /^`((?:[\w./-]+\.spec|test\/contract\/[\w./-]+)\.ts)`: “(.+)”$/.exec(cell);
  return found === null ? undefined : { path: found[1] as string, title: found[2] as string };
}

/** Returns true if the source has the title as the first argument of `it` or `test`, or of a table of either. */
function hasTest(source: string, title: string): boolean {
  return ["'", '`', '"'].some((quote) => {
    const call = `${quote}${title}${quote},`;
    return source
      .split(call)
      .slice(0, -1)
      .some((before) =>
        /\b(?:it|test)(?:\.\w+)*(?:(?:<[^;]*>)?\((?:[^;]|;(?! *\n))*\))?\(\s*$/.test(before.slice(-4_000)),
      );
  });
}

it('each line of the threat model names a test by the path of a spec and its title', () => {
  expect(rows.length).toBeGreaterThan(40);
  expect(rows.filter((cell) => testOf(cell) === undefined)).toEqual([]);
});

it('each test that the threat model names exists under this title', () => {
  const missing = rows.filter((cell) => {
    const { path, title } = testOf(cell) ?? { path: '', title: '' };
    const file = new URL(path, root);
    return path === '' || !existsSync(file) || !hasTest(readFileSync(file, 'utf8'), title);
  });
  expect(missing).toEqual([]);
});

it('a quoted text that is no title of a test is not taken for a test', () => {
  expect(hasTest("it('refuses it', () => {});", 'refuses it')).toBe(true);
  expect(hasTest("it.each(['a'])('refuses %s', () => {});", 'refuses %s')).toBe(true);
  expect(hasTest("it.concurrent('refuses it', () => {});", 'refuses it')).toBe(true);
  expect(hasTest("const message = 'refuses it';", 'refuses it')).toBe(false);
  expect(hasTest("throw new Error('refuses it', { cause });", 'refuses it')).toBe(false);
  expect(hasTest("describe('refuses it', () => {});", 'refuses it')).toBe(false);
  expect(hasTest("describe.each([1])('refuses it', () => {});", 'refuses it')).toBe(false);
  expect(testOf('`src/core/limits.ts`: “refuses it”')).toBeUndefined();
});

it('each attack that the threat model names is one of npm run hog', () => {
  const named = [...page.matchAll(/npm run hog -- --attack ([\w,-]+)/g)].flatMap(([, list = '']) =>
    list.split(','),
  );
  const names = attacks.map(({ name }) => name);
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter((name) => !names.includes(name))).toEqual([]);
});
