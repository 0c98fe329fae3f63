import { writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * The time that a test sets for a stand-in in another thread or process: milliseconds since the epoch, in 8 bytes that
 * the stand-in can read. 0 selects the machine's clock.
 */
export interface SharedTime {
  set(nowMs: number): void;
}

/** Shares the test's time with a stand-in in another thread, by a shared array buffer. */
export class TimeInMemory implements SharedTime {
  readonly buffer = new SharedArrayBuffer(8);
  readonly #cell = new BigInt64Array(this.buffer);

  set(nowMs: number): void {
    Atomics.store(this.#cell, 0, BigInt(Math.trunc(nowMs)));
  }
}

/** Shares the test's time with a stand-in in another process, by a file that the stand-in maps into its memory. */
export class TimeInFile implements SharedTime {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #bytes = Buffer.alloc(8);

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
    this.set(0);
  }

  static async open(path: string): Promise<TimeInFile> {
    return new TimeInFile(path, await open(path, 'w'));
  }

  set(nowMs: number): void {
    this.#bytes.writeBigInt64LE(BigInt(Math.trunc(nowMs)));
    writeSync(this.#file.fd, this.#bytes, 0, 8, 0);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
