import { writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * A clock for a stand-in that runs beside the test: milliseconds since the epoch in 8 bytes that both can see. 0: the
 * machine's own time.
 */
export interface SharedTime {
  set(nowMs: number): void;
}

/** Between threads. */
export class TimeInMemory implements SharedTime {
  readonly buffer = new SharedArrayBuffer(8);
  readonly #cell = new BigInt64Array(this.buffer);

  set(nowMs: number): void {
    Atomics.store(this.#cell, 0, BigInt(Math.trunc(nowMs)));
  }
}

/** Between processes: the other side maps the file. */
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
