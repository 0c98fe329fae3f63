import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';

/** How far the process that holds a store had written the write-ahead log, as its pid file says. */
export interface LogPosition {
  readonly store: string;
  readonly logNumber: number;
  readonly salts: readonly [number, number];
  /** The number of the log's frames up to the end of the last commit. */
  readonly frames: number;
}

/** The content of a pid file. `closed`: the store was closed in order. `old`: an earlier version wrote only its pid. */
export type PidFileContent = LogPosition | 'closed' | 'old' | 'unreadable';

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
const digits = (value: number): string => String(value).padStart(12, '0');
const pattern =
  /^\d+\n(store ([0-9a-f-]{36}) log (\d{12}) salts ([0-9a-f]{8}) ([0-9a-f]{8}) frames (\d{12}) (open {2}|closed)) crc ([0-9a-f]{8})\n$/;

function lineOf({ store, logNumber, salts, frames }: LogPosition, isOpen: boolean): string {
  const text = `store ${store} log ${digits(logNumber)} salts ${hex(salts[0])} ${hex(salts[1])} frames ${digits(frames)} ${isOpen ? 'open  ' : 'closed'}`;
  return `${text} crc ${hex(crc32(text))}\n`;
}

/** Reads a pid file. Returns undefined if there is none. */
export function readPidFile(path: string): PidFileContent | undefined {
  let content: string;
  try {
    content = readFileSync(path, 'latin1');
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'unreadable';
  }
  if (/^\d+\n$/.test(content)) return 'old';
  const [, text = '', store = '', logNumber, one = '', two = '', frames, state, crc] =
    pattern.exec(content) ?? [];
  if (text === '' || hex(crc32(text)) !== crc) return 'unreadable';
  if (state === 'closed') return 'closed';
  const salts = [Number.parseInt(one, 16), Number.parseInt(two, 16)] as const;
  return { store, logNumber: Number(logNumber), salts, frames: Number(frames) };
}

/**
 * The file beside the store that names the process which holds the store, and how far the write-ahead log was written.
 * The file is left behind only if the process was killed, so that the next start knows which commits the log must have.
 * It is written after each commit, without a sync: after a loss of power it may know less commits than the log has.
 */
export class PidFile {
  readonly #path: string;
  readonly #file: number;
  readonly #lineAt: number;

  /** Replaces the pid file of an earlier process in one step. Throws, and changes nothing, if the disk is full. */
  constructor(path: string, position: LogPosition) {
    const pid = `${process.pid}\n`;
    this.#path = path;
    this.#lineAt = pid.length;
    const written = `${path}.new`;
    try {
      writeFileSync(written, pid + lineOf(position, true), { mode: 0o600 });
    } catch (thrown) {
      rmSync(written, { force: true });
      throw thrown;
    }
    this.#file = openSync(written, 'r+');
    renameSync(written, path);
  }

  write(position: LogPosition): void {
    this.#write(lineOf(position, true));
  }

  /** Records that all commits are in the store's file, so that its log may be missing from now on. */
  writeClosed(position: LogPosition): void {
    this.#write(lineOf(position, false));
  }

  /** Returns whether the file of this name is still the one that this process wrote. */
  isThere(): boolean {
    try {
      const { dev, ino } = statSync(this.#path, { bigint: true });
      const own = fstatSync(this.#file, { bigint: true });
      return dev === own.dev && ino === own.ino;
    } catch {
      return false;
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(line: string): void {
    try {
      writeSync(this.#file, line, this.#lineAt, 'latin1');
    } catch {
      // Some file systems need space to write into a file, and the disk is full. The older line claims fewer commits.
    }
  }
}
