import { storedUpTo } from '../keys/hashed-keys.ts';
import { identityTable } from '../log/identity.ts';

function archivedEventsOf(columns: string): string {
  return `
CREATE TABLE archived_event (
  seq INTEGER NOT NULL, last INTEGER NOT NULL, events BLOB NOT NULL, ${columns}PRIMARY KEY (seq, last)
) STRICT, WITHOUT ROWID;
`;
}

/** The table of events that were moved out of a task's row. Schema 1 had no such table, schema 2 called it `past`. */
export const archivedEventTable = archivedEventsOf('sum INTEGER, ');

/**
 * The SQL statements that give tables and columns their names of schema 3. SQLite itself rewrites the indexes that name
 * a renamed column.
 */
const renamedColumns = `
ALTER TABLE kind RENAME TO task_type;
ALTER TABLE task RENAME COLUMN kind TO task_type;
ALTER TABLE task RENAME COLUMN ordering TO ordering_key;
ALTER TABLE task RENAME COLUMN bell TO dispatchable;
ALTER TABLE task RENAME COLUMN token TO fencing_token;
ALTER TABLE lane RENAME COLUMN ordering TO ordering_key;
`;

/** The SQL statement that adds the column of schema 4. SQLite does not rewrite the rows for it. */
const lossesColumn = 'ALTER TABLE task ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;';

/** The column of a claim's secret. A claim that schema 4 recorded has none. */
const leaseSecretColumn = "ALTER TABLE task ADD COLUMN lease_secret TEXT NOT NULL DEFAULT '';";

/** The columns of checksums. Rows that an earlier schema wrote have none. */
const checksumColumns = `
ALTER TABLE task ADD COLUMN head_sum INTEGER;
ALTER TABLE task ADD COLUMN events_sum INTEGER;
ALTER TABLE result ADD COLUMN sum INTEGER;
ALTER TABLE registry ADD COLUMN sum INTEGER;
ALTER TABLE archived_event ADD COLUMN sum INTEGER;
`;

/**
 * The tables of idempotency keys that are not in the index `task_key`, which schema 5 had not. A task's key that was in the
 * index stays there.
 */
export const keyTables = `
CREATE TABLE key_hash (hash INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE key_bound (queue INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT;
`;

/** No older task has a hashed key, so that a start need not look for one. */
const fromSchema5 = `${keyTables}
INSERT OR REPLACE INTO counter (name, value) SELECT '${storedUpTo}', coalesce(max(seq), 0) FROM task;
`;

/** The SQL statements that make the tables of schema 4 those of schema 6. SQLite does not rewrite the rows for them. */
const fromSchema4 = leaseSecretColumn + checksumColumns + identityTable + fromSchema5;

/**
 * Returns the SQL statements that upgrade a store file of schema 1 to 5 to schema 6. The caller runs them in one
 * transaction.
 */
export function upgradeStatements(version: number): string {
  if (version === 5) return fromSchema5;
  if (version === 4) return fromSchema4;
  if (version === 3) return lossesColumn + fromSchema4;
  const archivedEvents = version === 1 ? archivedEventsOf('') : 'ALTER TABLE past RENAME TO archived_event;';
  return archivedEvents + renamedColumns + lossesColumn + fromSchema4;
}
