/** A small disk for a store, which a run can fill: a file system in memory, for which the process must be root. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Guard } from './guard.ts';

/**
 * The size of the disk: room for the tasks of a run, for the server's ballast of 64 MB, and for twice as much that a server
 * must find free before it leaves the state of a full disk.
 */
const diskMb = 1_024;
const block = Buffer.alloc(1_048_576);
const leastBlockBytes = 4_096;

export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts a disk in the folder, which the guard unmounts. Returns a sentence that says why it cannot. */
  static mount(folder: string, guard: Guard, sizeMb = diskMb): SmallDisk | string {
    const path = join(folder, 'disk');
    mkdirSync(path);
    const args = ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'holdfast-small-disk', path];
    const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
    if (status !== 0)
      return `a small disk cannot be mounted here (${String(error ?? stderr).trim() || status})`;
    guard.send({ kind: 'mount', path });
    return new SmallDisk(path);
  }

  /** Writes a file until not a page is left. */
  fill(): void {
    const file = openSync(join(this.path, 'filling'), 'a');
    for (let bytes = block.length; bytes >= leastBlockBytes; ) {
      try {
        writeSync(file, block, 0, bytes);
      } catch {
        bytes /= 2;
      }
    }
    closeSync(file);
  }

  empty(): void {
    rmSync(join(this.path, 'filling'), { force: true });
  }
}
