import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { HoldfastError } from '../../../core/errors.ts';
import { storeMoved } from './failures.ts';

const firstPageBytes = 4_096;
const logMagicBytes = 4;
/** The number with which each write-ahead log begins. Its lowest bit is the byte order of the log's checksums. */
const logMagic = 0x377f0682;

/** The errors of a name that leads to no file. Other errors, such as EACCES, say nothing about the file. */
const noFile: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** Returns how the file of a name is not the open file any more, or undefined if it still is. */
function howLost(path: string, open: BigIntStats): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return dev === open.dev && ino === open.ino ? undefined : 'was replaced by another file';
  } catch (thrown) {
    return noFile.has((thrown as NodeJS.ErrnoException).code) ? 'was moved or removed' : undefined;
  }
}

/**
 * The files of the store as this process has opened them. SQLite reads and writes open files whatever becomes of their
 * names. Without a check a server would acknowledge tasks that its next start cannot find.
 */
export class OpenFiles {
  readonly logPath: string;
  readonly path: string;
  /** A descriptor of the store's file. It must be closed after SQLite's own, because a close ends SQLite's locks. */
  readonly #file: number;
  readonly #log: number;
  #written: BigIntStats;
  #firstPage: Buffer;
  #logBytes = 0n;
  #isOpen = true;

  /** `file` is a descriptor of the store's file that was opened before SQLite opened the file. */
  constructor(path: string, logPath: string, file: number) {
    this.path = path;
    this.logPath = logPath;
    this.#file = file;
    this.#log = openSync(logPath, 'r');
    this.#written = fstatSync(file, { bigint: true });
    this.#firstPage = this.#readFirstPage();
  }

  /** Records the store's file as this process has written it. Must be called after each checkpoint. */
  recordWrite(): void {
    this.#written = fstatSync(this.#file, { bigint: true });
    this.#firstPage = this.#readFirstPage();
  }

  /**
   * Returns STORE_MOVED if the store's file is not the one any more that this process opened: it was moved or removed, or
   * another file was moved over it. Also if another program wrote into the file or into its log.
   */
  check(): HoldfastError | undefined {
    if (!this.#isOpen) return undefined;
    const how = howLost(this.path, this.#written) ?? this.#howChanged();
    if (how !== undefined) return storeMoved(this.path, how);
    return this.#isLogChanged() ? storeMoved(this.logPath, 'was changed by another program') : undefined;
  }

  /** Returns how the log was moved, removed or replaced, or undefined if it was not. */
  howLogLost(): string | undefined {
    return this.#isOpen ? howLost(this.logPath, fstatSync(this.#log, { bigint: true })) : undefined;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#log);
    closeSync(this.#file);
  }

  #howChanged(): string | undefined {
    const { size, mtimeNs } = fstatSync(this.#file, { bigint: true });
    if (size === this.#written.size && mtimeNs === this.#written.mtimeNs) return undefined;
    // A program that only sets the file's time, such as `touch`, does no harm.
    const isWhole = size >= this.#written.size && this.#readFirstPage().equals(this.#firstPage);
    return isWhole ? undefined : 'was changed by another program';
  }

  /** Returns whether another program cut the write-ahead log, or wrote over its beginning. */
  #isLogChanged(): boolean {
    const { size } = fstatSync(this.#log, { bigint: true });
    if (size < this.#logBytes) return true;
    this.#logBytes = size;
    const magic = Buffer.alloc(logMagicBytes);
    if (readSync(this.#log, magic, 0, logMagicBytes, 0) < logMagicBytes) return false;
    return (magic.readUInt32BE() & ~1) !== logMagic;
  }

  #readFirstPage(): Buffer {
    const page = Buffer.alloc(firstPageBytes);
    readSync(this.#file, page, 0, firstPageBytes, 0);
    return page;
  }
}
