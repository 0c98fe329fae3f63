/** Notices when a file of a set is written, replaced, made or removed. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { printOf } from './print.ts';

/** An editor saves in steps; what is half written is not loaded. */
const settleMs = 80;
/** For file systems that tell nothing (network, some containers), and for files in folders that are not there yet. */
const lookEveryMs = 1_000;

export class FileWatch {
  readonly #changed: (file: string) => void;
  readonly #prints = new Map<string, string>();
  readonly #folders = new Map<string, FSWatcher>();
  readonly #looking: NodeJS.Timeout;
  #settling: NodeJS.Timeout | undefined;

  constructor(changed: (file: string) => void) {
    this.#changed = changed;
    this.#looking = setInterval(() => this.#look(), lookEveryMs);
  }

  /** Folders and not files, since an editor that saves by renaming leaves a watched file behind. */
  add(file: string, print: string): void {
    this.#prints.set(file, print);
    const folder = dirname(file);
    if (this.#folders.has(folder)) return;
    try {
      const watcher = watch(folder, () => this.#look());
      watcher.on('error', () => this.#drop(folder));
      this.#folders.set(folder, watcher);
    } catch {
      // Not there, or the system has no more watches to give: the looks each second see it too.
    }
  }

  /** Begins an empty set. */
  clear(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#prints.clear();
    for (const folder of [...this.#folders.keys()]) this.#drop(folder);
  }

  close(): void {
    clearInterval(this.#looking);
    this.clear();
  }

  #drop(folder: string): void {
    this.#folders.get(folder)?.close();
    this.#folders.delete(folder);
  }

  #different(): string | undefined {
    for (const [file, print] of this.#prints) if (printOf(file) !== print) return file;
    return undefined;
  }

  #look(): void {
    if (this.#settling === undefined && this.#different() !== undefined) this.#settle(this.#now());
  }

  #now(): string {
    return [...this.#prints.keys()].map(printOf).join(' ');
  }

  /** Waits until nothing moves any more. */
  #settle(before: string): void {
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      const now = this.#now();
      const file = this.#different();
      if (now !== before) this.#settle(now);
      else if (file !== undefined) this.#changed(file);
    }, settleMs);
  }
}
