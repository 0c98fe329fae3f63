import { readFileSync } from 'node:fs';
import type { Command } from '@commander-js/extra-typings';
import type { Globals } from '../globals.ts';

/** The package's own version; beside dist as beside src. */
export function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export function addVersion(program: Command, globals: Globals): void {
  program
    .command('version')
    .description('print the versions of Holdfast and Node')
    .action(() => {
      const holdfast = packageVersion();
      globals().output.result(
        { holdfast, node: process.versions.node },
        () => `holdfast ${holdfast}, node ${process.versions.node}`,
      );
    });
}
