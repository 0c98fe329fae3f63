import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nightlyCommands, otherScripts } from './commands.ts';

const textOf = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts);
/** The steps of `npm run verify`, which the first command runs. */
const verifySteps = [
  ...(/steps = \[([^\]]*)\]/.exec(textOf('scripts/verify.ts'))?.[1] ?? '').matchAll(/'([\w:]+)'/g),
].map(([, step]) => step as string);
const inVerify = new Set([...verifySteps, 'sim:ci']);

/** The commands of test/README.md with their minutes: the cells of a row name both in the same order. */
const documented = new Map(
  textOf('test/README.md')
    .split('\n')
    .filter((line) => line.startsWith('| `') || line.startsWith('| '))
    .flatMap((line) => {
      const [minutes = '', commands = ''] = line.split(' | ').reverse();
      const numbers = [...(minutes.split(';')[0] ?? '').matchAll(/\d+(?:\.\d+)?/g)].map(Number);
      const named = [...commands.matchAll(/`(npm run [^`]+)`/g)].map(([, one]) => one as string);
      return named.map((one, i): [string, number | undefined] => [one, numbers[i] ?? numbers[0]]);
    }),
);

it('every script of package.json is a nightly command, a step of verify, or has a reason why it is none', () => {
  const nightly = new Set(nightlyCommands.map(({ script }) => script));
  const forgotten = scripts.filter(
    (script) => !nightly.has(script) && !inVerify.has(script) && !Object.hasOwn(otherScripts, script),
  );
  expect(verifySteps).toContain('test');
  expect(forgotten, 'add a row to test/runs/nightly/commands.ts and to test/README.md').toEqual([]);
});

it('every script that the nightly list names exists, and is named once as a proof or as none', () => {
  const named = [...new Set(nightlyCommands.map(({ script }) => script)), ...Object.keys(otherScripts)];
  expect(named.filter((script) => !scripts.includes(script))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
  const names = nightlyCommands.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it('test/README.md has every nightly command with the same minutes', () => {
  const expected = nightlyCommands.map(({ script, args, minutes }) => [
    ['npm run', script, ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
    minutes,
  ]);
  expect(expected.map(([line]) => [line, documented.get(line as string)])).toEqual(expected);
});

it('every command says in a few words what it proves and how many minutes it takes', () => {
  for (const { name, proves, minutes } of nightlyCommands) {
    expect(proves.length, name).toBeGreaterThan(20);
    expect(minutes, name).toBeGreaterThan(0);
  }
});
