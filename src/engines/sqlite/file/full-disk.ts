import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SqliteContext } from '../context.ts';

export interface FullDiskOptions {
  /**
   * The size in bytes of the ballast, a file beside the store whose space is used for settlements once the disk is
   * full. 0 means no ballast.
   */
  readonly ballastBytes: number;
  /** The maximum size of the store's file in bytes. Undefined means that only the disk limits the file. */
  readonly maxBytes: number | undefined;
}

const pageBytes = 4_096;
const block = Buffer.alloc(1_048_576);
/** The interval in ms between two checks for free space while the disk is full. */
const recheckMs = 1_000;

/**
 * Keeps a ballast file beside the store. When the disk is full, the ballast is deleted: its space is for settlements,
 * the outcomes of work that is already done. Submissions and claims are refused until the disk has room for a new
 * ballast file.
 */
export class FullDisk {
  readonly #context: Pick<SqliteContext, 'db' | 'path' | 'log' | 'clock' | 'file'>;
  readonly #options: FullDiskOptions;
  readonly #ballastPath: string;
  #isFull = false;
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    context: Pick<SqliteContext, 'db' | 'path' | 'log' | 'clock' | 'file'>,
    options: FullDiskOptions,
  ) {
    this.#context = context;
    this.#options = options;
    this.#ballastPath = `${context.path}.ballast`;
    this.#limitPages(0);
    if (!this.#makeBallast()) this.enter();
  }

  /**
   * True while submissions and claims must be refused because the disk is full. Checks for free space at most once a
   * second.
   */
  get isFull(): boolean {
    if (this.#isFull) this.#checkRoom();
    return this.#isFull;
  }

  /**
   * Deletes the ballast (the reserve file beside the store), so that settlements can use its space. Must be called when
   * a write found the disk full.
   */
  enter(): void {
    if (!this.#isFull) {
      this.#context.log.error(
        { path: this.#context.path },
        'the disk of the store is full; submissions and claims are refused',
      );
    }
    this.#isFull = true;
    this.#checkedAtMs = this.#context.clock.monotonic();
    rmSync(this.#ballastPath, { force: true });
    this.#limitPages(this.#options.ballastBytes);
    this.#checkpoint();
  }

  #checkRoom(): void {
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#checkedAtMs < recheckMs) return;
    this.#checkedAtMs = nowMs;
    if (!this.#hasRoom() || !this.#makeBallast()) return;
    this.#isFull = false;
    this.#limitPages(0);
    this.#context.log.info({ path: this.#context.path }, 'the store has room again');
  }

  /**
   * Returns whether the free disk space is at least twice the size of the ballast, the reserve file beside the store.
   * With less free space, a new ballast file would soon be deleted again.
   */
  #hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#context.path));
    if (bavail * bsize < this.#options.ballastBytes * 2) return false;
    const { maxBytes } = this.#options;
    if (maxBytes === undefined) return true;
    const free = this.#pragma('freelist_count');
    return (this.#pragma('page_count') - free) * pageBytes < maxBytes * 0.95;
  }

  #makeBallast(): boolean {
    const { ballastBytes } = this.#options;
    if (ballastBytes === 0) return true;
    if (existsSync(this.#ballastPath) && statSync(this.#ballastPath).size === ballastBytes) return true;
    let file: number | undefined;
    try {
      file = openSync(this.#ballastPath, 'w', 0o600);
      for (let at = 0; at < ballastBytes; )
        at += writeSync(file, block, 0, Math.min(block.length, ballastBytes - at));
      fsyncSync(file);
      return true;
    } catch {
      rmSync(this.#ballastPath, { force: true });
      return false;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  #limitPages(extraBytes: number): void {
    const { maxBytes } = this.#options;
    if (maxBytes === undefined) return;
    this.#context.db.exec(`PRAGMA max_page_count = ${Math.floor((maxBytes + extraBytes) / pageBytes)}`);
  }

  /** Empties SQLite's write-ahead log, so that its pages can be used for new writes. */
  #checkpoint(): void {
    try {
      this.#context.db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // The checkpoint found no disk space either. The next write shows whether the space of the deleted ballast file
      // is enough.
    }
    this.#context.file.afterCheckpoint();
  }

  #pragma(name: string): number {
    return Number(this.#context.db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
  }
}
