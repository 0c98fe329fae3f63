import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { HoldfastError } from '../../../core/errors.ts';
import type { FullStoreFact } from '../../../core/explain/facts.ts';
import type { SqliteContext } from '../context.ts';
import { storeFull } from './failures.ts';

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
/** The interval in ms of the log lines that say how much space is missing. */
const waitLogMs = 60_000;

/**
 * Keeps a ballast file beside the store. When the disk is full, the ballast is deleted: its space is for settlements,
 * the outcomes of work that is already done. Submissions and claims are refused until the disk has room for a new
 * ballast file.
 */
export class FullDisk {
  readonly #context: Pick<SqliteContext, 'db' | 'path' | 'log' | 'clock' | 'file'>;
  readonly #options: FullDiskOptions;
  readonly #ballastPath: string;
  /** When the disk was found full, in ms since the epoch. Undefined while it has room. */
  #sinceMs: number | undefined;
  #stopWaiting: () => void = () => {};
  #isClosed = false;
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
    if (this.#sinceMs !== undefined) this.#checkRoom();
    return this.#sinceMs !== undefined;
  }

  /** Since when the disk has been full, and how much must be free; undefined if it has room. */
  get state(): FullStoreFact | undefined {
    const sinceMs = this.isFull ? this.#sinceMs : undefined;
    return sinceMs === undefined ? undefined : { sinceMs, neededBytes: this.#neededBytes };
  }

  /** The error of a submission or claim that is refused because the disk is full. */
  refusal(cause?: unknown): HoldfastError {
    return storeFull(this.#neededBytes, cause);
  }

  /**
   * The free space in bytes at which the store accepts tasks again: a new ballast, and as much again for tasks. With less,
   * the disk would soon be full again, and the ballast would be written and deleted in turn.
   */
  get #neededBytes(): number {
    return this.#options.ballastBytes * 2;
  }

  /**
   * Deletes the ballast (the reserve file beside the store), so that settlements can use its space. Must be called when
   * a write found the disk full.
   */
  enter(): void {
    const { log, clock, path } = this.#context;
    if (this.#sinceMs === undefined) {
      log.error(
        { path, needed_bytes: this.#neededBytes },
        'the disk of the store is full; submissions and claims are refused',
      );
      this.#sinceMs = clock.now();
      this.#waitForRoom();
    }
    this.#checkedAtMs = clock.monotonic();
    rmSync(this.#ballastPath, { force: true });
    this.#limitPages(this.#options.ballastBytes);
    this.#checkpoint();
  }

  /** Ends the checks for free space. Must be called before the file is closed. */
  close(): void {
    this.#isClosed = true;
    this.#stopWaiting();
  }

  /** Logs each minute how much space is missing, also if no call comes that would check it. */
  #waitForRoom(): void {
    if (this.#isClosed) return;
    const { log, clock, path } = this.#context;
    this.#stopWaiting = clock.after(waitLogMs, () => {
      try {
        if (!this.isFull) return;
        const bytes = { free_bytes: this.#freeBytes(), needed_bytes: this.#neededBytes };
        log.warn({ path, ...bytes }, 'the store waits for free space; submissions and claims are refused');
      } catch (err) {
        log.warn({ path, err }, 'the free space of the disk of the store cannot be read');
      }
      this.#waitForRoom();
    });
  }

  #checkRoom(): void {
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#checkedAtMs < recheckMs) return;
    this.#checkedAtMs = nowMs;
    if (!this.#hasRoom() || !this.#makeBallast()) return;
    this.#sinceMs = undefined;
    this.#stopWaiting();
    this.#limitPages(0);
    this.#context.log.info({ path: this.#context.path }, 'the store has room again');
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(dirname(this.#context.path));
    return bavail * bsize;
  }

  #hasRoom(): boolean {
    if (this.#freeBytes() < this.#neededBytes) return false;
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
