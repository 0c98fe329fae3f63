import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { ensureWholeText } from './whole-text.ts';

it('ensureWholeText accepts a Node that reads text with NUL characters whole', () => {
  const db = new DatabaseSync(':memory:');
  ensureWholeText(db);
  db.close();
});

it('ensureWholeText refuses a Node that cuts text at NUL, and names the versions that work', () => {
  const cutting = { prepare: () => ({ get: () => ({ text: 'a' }) }) as unknown as StatementSync };
  expect(() => ensureWholeText(cutting)).toThrow(
    expect.objectContaining({ reason: 'BAD_CONFIGURATION', help: expect.stringContaining('24.16') }),
  );
});
