/** The files of the assembled image: their size, and their permissions. */
import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface FileSet {
  readonly files: number;
  readonly bytes: number;
  /** The files that only one platform can load. */
  readonly native: readonly string[];
  /** A line for each file with its size and time, to compare two readings. */
  readonly lines: readonly string[];
}

/** Reads the files below a folder. */
export function filesIn(folder: string): FileSet {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  let files = 0;
  let bytes = 0;
  const lines: string[] = [];
  for (const name of names) {
    const stat = lstatSync(join(folder, name));
    lines.push(`${name} ${stat.mode} ${stat.isDirectory() ? 0 : stat.size} ${stat.mtimeMs}`);
    if (!stat.isFile()) continue;
    files++;
    bytes += stat.size;
  }
  return { files, bytes, lines, native: names.filter((name) => /\.(node|so|wasm)$/.test(name)) };
}

/** Sets the permissions of a folder and of everything in it. `change` gets those of a folder, a program or another file. */
export function setMode(path: string, change: (mode: number) => number): void {
  chmodSync(path, change(0o755));
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) setMode(below, change);
    else if (entry.isFile()) {
      const isProgram = below.endsWith('/usr/local/bin/node') || below.endsWith('/dist/cli/main.js');
      chmodSync(below, change(isProgram ? 0o755 : 0o644));
    }
  }
}
