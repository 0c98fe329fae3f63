import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import type { Globals } from '../globals.ts';
import { templates } from '../init/templates.ts';

/** Refuses to write over files of the user. */
function refuseExisting(dir: string): void {
  const existing = Object.keys(templates).filter((name) => existsSync(join(dir, name)));
  if (existing.length === 0) return;
  const are = existing.length === 1 ? 'exists' : 'exist';
  throw new HoldfastError(
    'FAILED_PRECONDITION',
    'BAD_CONFIGURATION',
    `${existing.join(', ')} already ${are} in ${dir}. Nothing was written.`,
    { help: 'Name another folder: holdfast init <folder>.' },
  );
}

/** Writes a package.json if there is none, and returns whether it did. */
function ensurePackage(dir: string): boolean {
  const file = join(dir, 'package.json');
  if (existsSync(file)) return false;
  writeFileSync(file, `${JSON.stringify({ private: true, type: 'module' }, null, 2)}\n`);
  return true;
}

/** Returns true if the package of the folder depends on Holdfast already. */
function dependsOnHoldfast(dir: string): boolean {
  try {
    const text = readFileSync(join(dir, 'package.json'), 'utf8');
    const { dependencies = {}, devDependencies = {} } = JSON.parse(text) as Record<
      string,
      object | undefined
    >;
    return 'holdfast' in { ...dependencies, ...devDependencies };
  } catch {
    return false;
  }
}

function write(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    refuseExisting(dir);
    for (const [name, text] of Object.entries(templates)) writeFileSync(join(dir, name), text);
  } catch (thrown) {
    if (thrown instanceof HoldfastError) throw thrown;
    const { message } = thrown as Error;
    throw new HoldfastError(
      'FAILED_PRECONDITION',
      'BAD_CONFIGURATION',
      `Cannot write into ${dir}: ${message}.`,
      {
        help: 'Name a folder in which you may write: holdfast init <folder>.',
      },
    );
  }
}

export function addInit(program: Command, globals: Globals): void {
  program
    .command('init')
    .argument('[folder]', 'the folder, which is created if it is missing', '.')
    .description('write a first task type, its worker, a program that submits, and a test')
    .action((folder) => {
      const { output } = globals();
      write(folder);
      const files = [...(ensurePackage(folder) ? ['package.json'] : []), ...Object.keys(templates)];
      const enter = relative('.', folder) === '' ? [] : [`cd ${folder}`];
      const install = dependsOnHoldfast(folder) ? [] : ['npm install holdfast'];
      const next = [...enter, ...install, 'node --test', 'npx holdfast dev worker.ts'];
      const inAnother = 'node submit.ts Ada';
      output.result({ folder, files, next: [...next, inAnother] }, () =>
        [
          `wrote ${files.join(', ')}`,
          '',
          'Next:',
          ...next.map((command) => `  ${command}`),
          'and in another terminal, in the same folder:',
          `  ${inAnother}`,
        ].join('\n'),
      );
    });
}
