/** The choice of the commands and the lines that the nightly run prints. */
import type { NightlyCommand } from './commands.ts';
import type { CommandEnd } from './run-command.ts';

/** Returns the commands to run, or a sentence about a name that is none. */
export function chosenCommands(
  commands: readonly NightlyCommand[],
  { from, only }: { readonly from: string; readonly only: string },
): readonly NightlyCommand[] | string {
  if (from !== '' && only !== '') return '--from and --only exclude each other';
  const name = from === '' ? only : from;
  if (name === '') return commands;
  const at = commands.findIndex((one) => one.name === name);
  if (at === -1) {
    const names = commands.map((one) => one.name).join(', ');
    return `'${name}' is none of ${names}`;
  }
  return commands.slice(at, from === '' ? at + 1 : undefined);
}

export function rowText({ name, minutes }: NightlyCommand, end: CommandEnd): string {
  const took = `${(end.seconds / 60).toFixed(1).padStart(5)} min of about ${String(minutes).padEnd(4)}`;
  const last = end.isLate ? 'did not end in time' : (end.lastLines.at(-1) ?? 'no output').trim();
  return `${end.status === 0 ? '✓' : '✗'} ${name.padEnd(16)} ${took} ${last}`;
}

export function summary(ends: readonly CommandEnd[]): string {
  const passed = ends.filter(({ status }) => status === 0).length;
  const minutes = Math.round(ends.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  return `nightly: commands=${ends.length} passed=${passed} failed=${ends.length - passed} minutes=${minutes}`;
}
