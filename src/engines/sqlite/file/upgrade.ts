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

/** The SQL statements that make the tables of schema 4 those of schema 5. SQLite does not rewrite the rows for them. */
const toSchema5 = leaseSecretColumn + checksumColumns + identityTable;

/**
 * Returns the SQL statements that upgrade a store file of schema 1, 2, 3 or 4 to schema 5. The caller runs them in one
 * transaction.
 */
export function upgradeStatements(version: number): string {
  if (version === 4) return toSchema5;
  if (version === 3) return lossesColumn + toSchema5;
  const archivedEvents = version === 1 ? archivedEventsOf('') : 'ALTER TABLE past RENAME TO archived_event;';
  return archivedEvents + renamedColumns + lossesColumn + toSchema5;
}
