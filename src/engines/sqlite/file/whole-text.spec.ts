import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { ensureWholeText } from './whole-text.ts';

it('lets a Node through that reads text whole', () => {
  const db = new DatabaseSync(':memory:');
  ensureWholeText(db);
  db.close();
});

it('refuses one that cuts it, as those before 24.16 do, and says which will do', () => {
  const cutting = { prepare: () => ({ get: () => ({ text: 'a' }) }) as unknown as StatementSync };
  expect(() => ensureWholeText(cutting)).toThrow(
    expect.objectContaining({ reason: 'BAD_CONFIGURATION', help: expect.stringContaining('24.16') }),
  );
});
