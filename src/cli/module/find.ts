/** Finds the module that the command line names, or suggests another one if that file does not exist. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { nearest } from '../../core/nearest.ts';
import { usage } from '../exit-codes.ts';

const extensions = ['.ts', '.mts', '.js', '.mjs'];
/**
 * The number of folder levels, from the current folder down, in which a file with the name of the missing module is
 * searched.
 */
const mostDepth = 4;
const mostEntries = 5_000;
const helpPath = 'Give the path of a module whose default export is a worker.';

/**
 * Returns the absolute path of the module.
 * @throws HoldfastError INVALID_ARGUMENT if there is no such file; its help suggests one that exists.
 */
export function findModule(path: string): string {
  const file = resolve(path);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return file;
  const suggestion = stat?.isDirectory() ? workerInFolder(file) : similarFile(file);
  const help = suggestion === undefined ? helpPath : `Did you mean ${shortPath(suggestion)}?`;
  throw usage(stat?.isDirectory() ? `'${path}' is a folder.` : `There is no file '${path}'.`, help);
}

/** Returns the path relative to the current folder, or unchanged if the file is outside that folder. */
export function shortPath(file: string): string {
  const here = relative(process.cwd(), file);
  return here.startsWith('..') ? file : here;
}

function filesIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((e) => e.isFile() && extensions.includes(extname(e.name))).map((e) => e.name);
  } catch {
    return [];
  }
}

function workerInFolder(folder: string): string | undefined {
  const files = filesIn(folder);
  const name = ['worker', 'index'].flatMap((stem) => extensions.map((kind) => stem + kind));
  const found =
    name.find((candidate) => files.includes(candidate)) ?? (files.length === 1 ? files[0] : undefined);
  return found === undefined ? undefined : join(folder, found);
}

/**
 * Returns a suggestion for a file that does not exist: a file with the same name and another ending, a file with a
 * similar name, or a file of the same name in a folder below.
 */
function similarFile(file: string): string | undefined {
  const folder = dirname(file);
  const name = basename(file);
  const stem = basename(name, extname(name));
  const files = filesIn(folder);
  const same = files.find(
    (other) => basename(other, extname(other)) === stem || other.startsWith(`${name}.`),
  );
  const like = same ?? nearest(name, files);
  return like === undefined ? findBelow(process.cwd(), name) : join(folder, like);
}

/** Searches the folders below `root` for a file of this name, breadth first, so that the nearest one is found. */
function findBelow(root: string, name: string): string | undefined {
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
