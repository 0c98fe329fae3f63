import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../../core/errors.ts';

const probe = 'a\0b';

/**
 * Throws BAD_CONFIGURATION if this Node cuts text from SQLite at the first NUL character, as Node before 24.16 and 26.1
 * does: two different idempotency keys would be read as one.
 */
export function ensureWholeText(db: Pick<DatabaseSync, 'prepare'>): void {
  if (db.prepare('SELECT ? AS text').get(probe)?.text === probe) return;
  throw new HoldfastError(
    'FAILED_PRECONDITION',
    'BAD_CONFIGURATION',
    `The SQLite of this Node (${process.version}) cuts text at a NUL character, so no store can be kept with it.`,
    { help: 'Use Node 24.16 or a later 24, or 26.1 or later.' },
  );
}
