/** Each of this repository's own programs, asked by its script how it is used. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};
/** The programs that stand here by script: what a script gives itself is left out. */
const programs = Object.entries(scripts).flatMap(([script, line]) => {
  const [, program] = /^(?:exec )?node ((?:test|bench|examples)\/\S+)$/.exec(line) ?? [];
  return program === undefined ? [] : [[script, program] as const];
});
const programOf = new Map(programs);
const cache = `${root}node_modules/.cache/holdfast-cli`;

function run(script: string, ...argv: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [programOf.get(script) ?? '', ...argv], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  return { status, stdout, stderr };
}

test('the programs are found', () => {
  expect([...programOf.keys()]).toEqual(
    expect.arrayContaining(['races', 'crashpoints', 'bench:cost', 'demo:aws']),
  );
});

test.each(programs)(
  'npm run %s: an option that it does not have is one line of usage, no stack',
  (script) => {
    const { status, stdout, stderr } = run(script, '--nonsense');
    const line = new RegExp(`^Unknown option '--nonsense'; usage: npm run ${script}( -- .*)?\n$`);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(line),
    });
  },
);

test('--help says how it is used, and nothing is begun', () => {
  const usage = 'usage: npm run races -- [--races 1000] [--seed 1]\n';
  expect(run('races', '--help')).toEqual({ status: 0, stdout: usage, stderr: '' });
});

test.each([
  [['--races', 'many'], "'--races' takes a whole number, not 'many'"],
  [['--races'], "Option '--races <value>' argument missing"],
  [['100'], "Unexpected argument '100'"],
])('%j is a slip', (argv, told) => {
  const { status, stderr } = run('races', ...argv);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(/^[^\n]*\n$/) });
  expect(stderr).toContain(`${told}; usage: `);
});
