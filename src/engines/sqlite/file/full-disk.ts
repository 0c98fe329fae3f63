import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SqliteContext } from '../context.ts';

export interface FullDiskOptions {
  /** Of the file beside the store whose space is for settlements once the disk is full. 0: none. */
  readonly ballastBytes: number;
  /** The store grows no further than this; undefined: as far as the disk. */
  readonly maxBytes: number | undefined;
}

const pageBytes = 4_096;
const block = Buffer.alloc(1_048_576);
/** While the disk is full, room is looked for this often. */
const lookMs = 1_000;

/**
 * Keeps room for what must still be written when the disk is full: the outcomes of work that is already done. While
 * the ballast is missing, nothing new is accepted and nothing is claimed.
 */
export class FullDisk {
  readonly #context: Pick<SqliteContext, 'db' | 'path' | 'log' | 'clock'>;
  readonly #options: FullDiskOptions;
  readonly #ballastPath: string;
  #full = false;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: Pick<SqliteContext, 'db' | 'path' | 'log' | 'clock'>, options: FullDiskOptions) {
    this.#context = context;
    this.#options = options;
    this.#ballastPath = `${context.path}.ballast`;
    this.#capPages(0);
    if (!this.#makeBallast()) this.enter();
  }

  /** True: submits and claims are refused. Looks for room again once a second. */
  get isFull(): boolean {
    if (this.#full) this.#look();
    return this.#full;
  }

  /** A write found no room: gives the ballast's up. */
  enter(): void {
    if (!this.#full) {
      this.#context.log.error(
        { path: this.#context.path },
        'the disk of the store is full: nothing new is accepted',
      );
    }
    this.#full = true;
    this.#lookedAtMs = this.#context.clock.monotonic();
    rmSync(this.#ballastPath, { force: true });
    this.#capPages(this.#options.ballastBytes);
    this.#checkpoint();
  }

  #look(): void {
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#lookedAtMs < lookMs) return;
    this.#lookedAtMs = nowMs;
    if (!this.#hasRoom() || !this.#makeBallast()) return;
    this.#full = false;
    this.#capPages(0);
    this.#context.log.info({ path: this.#context.path }, 'the store has room again');
  }

  /** As much again as the ballast, so that it is not made only to be given up. */
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

  #capPages(moreBytes: number): void {
    const { maxBytes } = this.#options;
    if (maxBytes === undefined) return;
    this.#context.db.exec(`PRAGMA max_page_count = ${Math.floor((maxBytes + moreBytes) / pageBytes)}`);
  }

  /** An empty log has room of its own. */
  #checkpoint(): void {
    try {
      this.#context.db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // No room for that either: what follows will tell.
    }
  }

  #pragma(name: string): number {
    return Number(this.#context.db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
  }
}
