import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { nightlyCommands } from './commands.ts';
import { chosenCommands, rowText, summary } from './report.ts';
import { runCommand } from './run-command.ts';

const names = (from: string, only: string): readonly string[] | string => {
  const chosen = chosenCommands(nightlyCommands, { from, only });
  return typeof chosen === 'string' ? chosen : chosen.map(({ name }) => name);
};
const all = nightlyCommands.map(({ name }) => name);

it('a nightly run runs all commands, those from one on, or one', () => {
  expect(names('', '')).toEqual(all);
  expect(names('chaos', '')).toEqual(all.slice(all.indexOf('chaos')));
  expect(names('', 'sim:mutants')).toEqual(['sim:mutants']);
  expect(names('', 'sims')).toMatch(/^'sims' is none of verify, /);
  expect(names('sim', 'sim')).toMatch(/exclude each other/);
});

it('a command’s end has its status, its last lines and its whole output, also if it fails', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-nightly-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'out.log');
  const command = { script: 'nightly', minutes: 1 };
  const good = await runCommand({ ...command, args: ['--help'] }, file);
  expect(good).toMatchObject({ status: 0, isLate: false });
  expect(good.lastLines.at(-1)).toMatch(/^usage: npm run nightly/);
  expect(readFileSync(file, 'utf8')).toContain('usage: npm run nightly');
  const bad = await runCommand({ ...command, args: ['--only', 'nothing'] }, file);
  expect([bad.status, bad.lastLines.at(-1)]).toEqual([2, expect.stringMatching(/^'nothing' is none of/)]);
});

it('the last line of a nightly run counts the commands that passed and failed', () => {
  const end = { status: 0, isLate: false, lastLines: ['crash: lost=0'], seconds: 90 };
  const failed = { ...end, status: 1 };
  expect(summary([end, failed, { ...end, status: null }])).toBe(
    'nightly: commands=3 passed=1 failed=2 minutes=5',
  );
  const [command] = nightlyCommands;
  if (command === undefined) expect.fail();
  expect(rowText(command, end)).toMatch(/^✓ verify +1\.5 min of about 12 +crash: lost=0$/);
  expect(rowText(command, { ...failed, isLate: true })).toMatch(/^✗ verify .* did not end in time$/);
});
