/** The module that the command line names, and what may have been meant where it names none. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { nearest } from '../../core/nearest.ts';
import { usage } from '../exit-codes.ts';

const kinds = ['.ts', '.mts', '.js', '.mjs'];
/** How far below the current folder a file of the same name is looked for. */
const mostDepth = 4;
const mostEntries = 5_000;
const helpPath = 'Give the path of a module whose default export is a worker.';

/** The absolute path. @throws HoldfastError INVALID_ARGUMENT, naming a file that is there and may have been meant. */
export function findModule(asked: string): string {
  const file = resolve(asked);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return file;
  const meant = stat?.isDirectory() ? inFolder(file) : nearby(file);
  const help = meant === undefined ? helpPath : `Did you mean ${shown(meant)}?`;
  throw usage(stat?.isDirectory() ? `'${asked}' is a folder.` : `There is no file '${asked}'.`, help);
}

/** A path as one would type it here. */
export function shown(file: string): string {
  const here = relative(process.cwd(), file);
  return here.startsWith('..') ? file : here;
}

function filesIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((e) => e.isFile() && kinds.includes(extname(e.name))).map((e) => e.name);
  } catch {
    return [];
  }
}

function inFolder(folder: string): string | undefined {
  const files = filesIn(folder);
  const name = ['worker', 'index'].flatMap((stem) => kinds.map((kind) => stem + kind));
  const found =
    name.find((candidate) => files.includes(candidate)) ?? (files.length === 1 ? files[0] : undefined);
  return found === undefined ? undefined : join(folder, found);
}

/** The same name with another ending, a name like it in the same folder, or the same name further below. */
function nearby(file: string): string | undefined {
  const folder = dirname(file);
  const name = basename(file);
  const stem = basename(name, extname(name));
  const files = filesIn(folder);
  const same = files.find(
    (other) => basename(other, extname(other)) === stem || other.startsWith(`${name}.`),
  );
  const like = same ?? nearest(name, files);
  return like === undefined ? below(process.cwd(), name) : join(folder, like);
}

/** Breadth first, so that the nearest is named. */
function below(root: string, name: string): string | undefined {
  let level = [root];
  let seen = 0;
  for (let depth = 0; depth < mostDepth && seen < mostEntries; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      for (const entry of entriesOf(folder)) {
        seen++;
        if (entry.isFile() && entry.name === name) return join(folder, name);
        if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.'))
          next.push(join(folder, entry.name));
      }
    }
    level = next;
  }
  return undefined;
}

function entriesOf(folder: string): import('node:fs').Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
