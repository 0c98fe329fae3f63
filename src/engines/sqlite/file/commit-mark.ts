import { closeSync, openSync, writeSync } from 'node:fs';

/**
 * Writes one byte to a file before and one byte after each COMMIT, so that a crash test sees whether its kill hit a
 * COMMIT.
 */
export interface CommitMark {
  before(): void;
  after(): void;
  close(): void;
}

const noMark: CommitMark = { before() {}, after() {}, close() {} };

/**
 * Returns a commit mark that appends its bytes to the file at `path` without syncing the file. Without a path the mark
 * does nothing.
 */
export function commitMark(path: string | undefined): CommitMark {
  if (path === undefined || path === '') return noMark;
  const file = openSync(path, 'a');
  return {
    before() {
      writeSync(file, 'B');
    },
    after() {
      writeSync(file, 'C');
    },
    close() {
      closeSync(file);
    },
  };
}
