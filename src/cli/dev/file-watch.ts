/** Watches a set of files, and notices when one of them is written, replaced, created or removed. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/**
 * A file change is reported once no watched file has changed for this time: an editor saves a file in several steps.
 */
const settleMs = 80;
/**
 * The interval at which the watched files are polled, for file systems that report no changes (network, some
 * containers) and for folders that do not exist yet.
 */
const pollMs = 1_000;

/** Returns a text that changes when the file is written, replaced, created or removed. */
export function fingerprintOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.ino}/${stat.size}/${stat.mtimeMs}`;
}

export class FileWatch {
  readonly #onChange: (file: string) => void;
  readonly #fingerprints = new Map<string, string>();
  readonly #folders = new Map<string, FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #settling: NodeJS.Timeout | undefined;

  constructor(onChange: (file: string) => void) {
    this.#onChange = onChange;
    this.#poll = setInterval(() => this.#check(), pollMs);
  }

  /**
   * Adds a file to the watched set. The file's folder is watched and not the file itself: an editor that saves by
   * renaming replaces the file, and a watch on the old file would see no further change.
   */
  add(file: string, fingerprint: string): void {
    this.#fingerprints.set(file, fingerprint);
    const folder = dirname(file);
    if (this.#folders.has(folder)) return;
    try {
      const watcher = watch(folder, () => this.#check());
      watcher.on('error', () => this.#unwatch(folder));
      this.#folders.set(folder, watcher);
    } catch {
      // The folder does not exist, or the system has no more watches to give. Polling finds changes in such a folder
      // too.
    }
  }

  /** Removes all files from the watched set. */
  clear(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#fingerprints.clear();
    for (const folder of [...this.#folders.keys()]) this.#unwatch(folder);
  }

  close(): void {
    clearInterval(this.#poll);
    this.clear();
  }

  #unwatch(folder: string): void {
    this.#folders.get(folder)?.close();
    this.#folders.delete(folder);
  }

  #changedFile(): string | undefined {
    for (const [file, fingerprint] of this.#fingerprints) {
      if (fingerprintOf(file) !== fingerprint) return file;
    }
    return undefined;
  }

  #check(): void {
    if (this.#settling === undefined && this.#changedFile() !== undefined) this.#settle(this.#state());
  }

  #state(): string {
    return [...this.#fingerprints.keys()].map(fingerprintOf).join(' ');
  }

  /** Waits until no file changes any more, then reports a file that differs from its fingerprint. */
  #settle(before: string): void {
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      const state = this.#state();
      const file = this.#changedFile();
      if (state !== before) this.#settle(state);
      else if (file !== undefined) this.#onChange(file);
    }, settleMs);
  }
}
