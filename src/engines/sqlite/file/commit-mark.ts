import { closeSync, openSync, writeSync } from 'node:fs';

/** Tells a killer whether its kill fell inside a commit: one byte before each COMMIT, another after it. */
export interface CommitMark {
  before(): void;
  after(): void;
  close(): void;
}

const noMark: CommitMark = { before() {}, after() {}, close() {} };

/** Appends to a file, without syncing it; undefined: does nothing. */
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
