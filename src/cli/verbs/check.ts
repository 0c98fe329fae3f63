import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import type { Globals } from '../globals.ts';

export function addCheck(program: Command, globals: Globals): void {
  program
    .command('check')
    .argument('[store]', 'the store’s file, with or without `file:`', './holdfast.db')
    .description('check a store that no process holds; exit status 1 if it is damaged or lacks commits')
    .option(
      '--accept-loss',
      'let the store start without the commits that are missing; the log is kept under another name',
    )
    .action(async (store, { acceptLoss }) => {
      const { checkStore, acceptLoss: accept } = await import('../../engines/sqlite/check/check-store.ts');
      const path = store.replace(/^file:(\/\/(?=\/))?/, '');
      const { output } = globals();
      const accepted = acceptLoss === true ? accept(path) : undefined;
      const faults = accepted?.fault.kind === 'noFile' ? [] : checkStore(path);
      if (faults.length > 0) {
        throw new HoldfastError('DATA_LOSS', 'STORE_CORRUPT', faults.map(({ text }) => text).join('\n'), {
          help: faults.find(({ help }) => help !== undefined)?.help,
        });
      }
      const missing = accepted?.fault.text;
      output.result({ store: path, whole: true, accepted: missing, log: accepted?.keptLog }, () =>
        accepted === undefined
          ? `${path} is whole`
          : `${missing}\n${path} can start without the missing commits${accepted.keptLog === undefined ? '' : `; the log is kept as ${accepted.keptLog}`}`,
      );
    });
}
