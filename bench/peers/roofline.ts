/** The floor under each row: bare group commits of node:sqlite with the same payload, without a network, checks or a queue. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { payloadText } from './peer.ts';

export interface Roofline {
  /** Rows a second of commits with so many inserts of a task and of its payload. */
  insertsPerSecond(perCommit: number): number;
  /** Tasks a second of commits that claim so many tasks by one update each, and settle them by another one. */
  processedPerSecond(perCommit: number): number;
  close(): void;
}

export function openRoofline(tasks: number): Roofline {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-floor-'));
  const db = new DatabaseSync(join(folder, 'floor.db'));
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE task (seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, lease INTEGER) STRICT;
    CREATE TABLE body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
    CREATE INDEX task_state ON task (state, seq);`);
  const insertTask = db.prepare('INSERT INTO task (seq, key, state) VALUES (?, ?, 1)');
  const insertBody = db.prepare('INSERT INTO body (seq, body) VALUES (?, ?)');
  const claim = db.prepare('UPDATE task SET state = 2, lease = ? WHERE seq = ? AND state = 1');
  const settle = db.prepare('UPDATE task SET state = 3, lease = NULL WHERE seq = ? AND state = 2');
  const body = Buffer.from(payloadText);
  let inserted = 0;
  let processed = 0;

  function rateOf(perCommit: number, commit: (count: number) => void): number {
    const fromMs = performance.now();
    for (let done = 0; done < tasks; done += perCommit) {
      db.exec('BEGIN IMMEDIATE');
      commit(Math.min(perCommit, tasks - done));
      db.exec('COMMIT');
    }
    return tasks / ((performance.now() - fromMs) / 1_000);
  }

  const insert = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const seq = ++inserted;
      insertTask.run(seq, `k${String(seq).padStart(12, '0')}`);
      insertBody.run(seq, body);
    }
  };

  return {
    insertsPerSecond: (perCommit) => rateOf(perCommit, insert),
    processedPerSecond(perCommit) {
      while (inserted < processed + tasks) rateOf(1_000, insert);
      return rateOf(perCommit, (count) => {
        // Holdfast claims one batch in the commit that settles the one before.
        for (let i = 1; i <= count; i++) claim.run(60_000, processed + i);
        for (let i = 1; i <= count; i++) settle.run(processed + i);
        processed += count;
      });
    },
    close() {
      db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
