import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { HoldfastError } from '../../../core/errors.ts';
import { logMoved, storeMoved } from './failures.ts';

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
  readonly #path: string;
  /** A descriptor of the store's file. It must be closed after SQLite's own, because a close ends SQLite's locks. */
  readonly #file: number;
  readonly #log: number;
  readonly #saveLog: () => boolean;
  #written: BigIntStats;
  #firstPage: Buffer;
  #logBytes = 0n;
  #isOpen = true;
  #isLogSaved = false;

  /**
   * `file` is a descriptor of the store's file that was opened before SQLite opened the file. `saveLog` copies the
   * write-ahead log into the store's file, and returns false if it could not.
   */
  constructor(path: string, logPath: string, file: number, saveLog: () => boolean) {
    this.#path = path;
    this.logPath = logPath;
    this.#file = file;
    this.#saveLog = saveLog;
    this.#log = openSync(logPath, 'r');
    this.#written = fstatSync(file, { bigint: true });
    this.#firstPage = this.#readFirstPage();
  }

  /** True if the log was lost while it was open, and its commits were copied into the store's file. */
  get isLogSaved(): boolean {
    return this.#isLogSaved;
  }

  /** Records the store's file as this process has written it. Must be called after each checkpoint. */
  recordWrite(): void {
    this.#written = fstatSync(this.#file, { bigint: true });
    this.#firstPage = this.#readFirstPage();
  }

  /**
   * Returns STORE_MOVED if a file of the store is not the one any more that this process opened: it was moved or
   * removed, another file was moved over it, or another program wrote into it.
   */
  check(): HoldfastError | undefined {
    if (!this.#isOpen) return undefined;
    const how = howLost(this.#path, this.#written) ?? this.#howChanged();
    if (how !== undefined) return storeMoved(this.#path, how);
    const log = fstatSync(this.#log, { bigint: true });
    if (this.#isLogChanged(log)) return storeMoved(this.logPath, 'was changed by another program');
    const howLog = howLost(this.logPath, log);
    if (howLog === undefined) return undefined;
    this.#isLogSaved = this.#saveLog();
    return logMoved(this.logPath, howLog, this.#isLogSaved);
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
  #isLogChanged({ size }: BigIntStats): boolean {
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
