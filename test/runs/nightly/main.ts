/**
 * `npm run nightly`: every command of the repository that proves something, one after the other, each with its last line and its
 * time. `--from NAME` goes on at one of them, `--only NAME` runs one. The whole outputs are in `.cache/nightly/`. The exit status is 0
 * only if all hold.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { programOptions } from '../../fixtures/program-options.ts';
import { nightlyCommands } from './commands.ts';
import { chosenCommands, rowText, summary } from './report.ts';
import { type CommandEnd, runCommand } from './run-command.ts';

const { from, only } = programOptions('nightly', { from: '', only: '' });
const chosen = chosenCommands(nightlyCommands, { from, only });
if (typeof chosen === 'string') {
  console.error(chosen);
  process.exit(2);
}
const folder = new URL('../../../.cache/nightly', import.meta.url).pathname;
mkdirSync(folder, { recursive: true });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

const ends: CommandEnd[] = [];
for (const [i, command] of chosen.entries()) {
  const line = [
    'npm run',
    command.script,
    ...(command.args.length === 0 ? [] : ['--', ...command.args]),
  ].join(' ');
  console.log(`${i + 1} of ${chosen.length}: ${line} (${command.proves}; about ${command.minutes} min)`);
  const file = join(folder, `${command.name.replaceAll(':', '-')}.log`);
  const end = await runCommand(command, file);
  ends.push(end);
  if (end.status !== 0) {
    for (const last of end.lastLines) console.log(`    ${last}`);
    console.log(
      `    the whole output: ${file}; to go on from here: npm run nightly -- --from ${command.name}`,
    );
  }
  console.log(rowText(command, end));
}
console.log();
for (const [i, end] of ends.entries()) console.log(rowText(chosen[i] as (typeof chosen)[number], end));
console.log(summary(ends));
process.exit(ends.length > 0 && ends.every(({ status }) => status === 0) ? 0 : 1);
