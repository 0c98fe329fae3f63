import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '../../../ports/clock.ts';
import { identityText, type StoreIdentity } from './identity.ts';
import { type LogPosition, PidFile } from './pid-file.ts';

/** The place of the two random numbers in the header of the log. */
const saltsAt = 16;

/** The shortest time in ms between two writes of the pid file that commits cause. */
const writeEveryMs = 10;

export type TrackerClock = Pick<Clock, 'monotonic'>;

/**
 * Records the position of the write-ahead log in the pid file, soon after each commit, and writes the store's identity in the
 * first commit of each new run of the log. By both the next start recognises a log that is not whole or not its own.
 */
export class LogTracker {
  readonly #clock: TrackerClock;
  readonly #state: StatementSync;
  readonly #setIdentity: StatementSync;
  readonly #log: number;
  readonly #pidPath: string;
  readonly #salts = Buffer.alloc(8);
  #pid: PidFile;
  #position: LogPosition;
  /** True if SQLite's next write begins the log anew, because all of it is in the store's file. */
  #beginsAnew = false;
  #isWritten = true;
  #writtenAtMs: number;

  /**
   * Commits once, so that the log has a commit whenever its pid file is there. Throws if the disk is full. The tracker can
   * then be made again: the commit, if there was one, is a whole one with the store's identity.
   */
  constructor(
    db: DatabaseSync,
    logPath: string,
    pidPath: string,
    { store, logNumber }: StoreIdentity,
    clock: TrackerClock,
  ) {
    this.#state = db.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#state.setReturnArrays(true);
    this.#setIdentity = db.prepare('UPDATE identity SET text = ? WHERE id = 1');
    const [found, copied] = this.#pages();
    const identity = { store, logNumber: found === copied ? logNumber + 1 : logNumber };
    this.#setIdentity.run(identityText(identity));
    this.#log = openSync(logPath, 'r');
    this.#pidPath = pidPath;
    try {
      this.#position = { ...identity, salts: this.#readSalts(), frames: this.#pages()[0] };
      this.#pid = new PidFile(pidPath, this.#position);
    } catch (thrown) {
      closeSync(this.#log);
      throw thrown;
    }
    this.#clock = clock;
    this.#writtenAtMs = clock.monotonic();
  }

  /** Must be called within each transaction, before its commit. */
  beforeCommit(): void {
    if (!this.#beginsAnew) return;
    const { store, logNumber } = this.#position;
    this.#setIdentity.run(identityText({ store, logNumber: logNumber + 1 }));
  }

  /** Must be called after each commit. */
  afterCommit(): void {
    this.#isWritten = false;
    if (this.#beginsAnew) this.#beginRun();
    else if (this.#clock.monotonic() - this.#writtenAtMs >= writeEveryMs) this.write();
  }

  /** Writes the position after the last commit into the pid file, unless it is there. Writes a removed file anew. */
  write(): void {
    if (!this.#isWritten) {
      const [frames, copied] = this.#pages();
      this.#beginsAnew = frames === copied;
      this.#record({ ...this.#position, frames });
    }
    if (!this.#pid.isThere()) this.#renewPidFile();
  }

  /** Must be called after each checkpoint. */
  afterCheckpoint(): void {
    const [frames, copied] = this.#pages();
    this.#beginsAnew = frames === copied;
  }

  /** Records that all commits are in the store's file. */
  recordClosed(): void {
    this.#pid.writeClosed(this.#position);
  }

  /** Removes the pid file, unless it is that of another process by now, and closes the files. */
  close(removesPidFile: boolean): void {
    if (removesPidFile && this.#pid.isThere()) rmSync(this.#pidPath);
    this.#pid.close();
    closeSync(this.#log);
  }

  /** Records the position after the first commit of a new run of the log. */
  #beginRun(): void {
    const { store, logNumber } = this.#position;
    const [frames, copied] = this.#pages();
    this.#beginsAnew = frames === copied;
    this.#record({ store, logNumber: logNumber + 1, salts: this.#readSalts(), frames });
  }

  #record(position: LogPosition): void {
    this.#position = position;
    this.#pid.write(position);
    this.#isWritten = true;
    this.#writtenAtMs = this.#clock.monotonic();
  }

  #renewPidFile(): void {
    try {
      const renewed = new PidFile(this.#pidPath, this.#position);
      this.#pid.close();
      this.#pid = renewed;
    } catch {
      // The disk is full. The next check tries it again.
    }
  }

  #pages(): readonly [frames: number, copied: number] {
    const [, frames, copied] = this.#state.get() as unknown as [number, number, number];
    return [frames, copied];
  }

  #readSalts(): readonly [number, number] {
    readSync(this.#log, this.#salts, 0, this.#salts.length, saltsAt);
    return [this.#salts.readUInt32BE(0), this.#salts.readUInt32BE(4)];
  }
}
