import type { Command } from '@commander-js/extra-typings';
import { packageVersion } from '../../platform/version.ts';
import type { Globals } from '../globals.ts';

export function addVersion(program: Command, globals: Globals): void {
  program
    .command('version')
    .description('print the versions of Holdfast and Node')
    .action(() => {
      const holdfast = packageVersion;
      globals().output.result(
        { holdfast, node: process.versions.node },
        () => `holdfast ${holdfast}, node ${process.versions.node}`,
      );
    });
}
