import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../../core/errors.ts';
import { identityTable } from '../log/identity.ts';
import { archivedEventTable, keyTables, upgradeStatements } from './upgrade.ts';

/**
 * The schema version of the store's file. A file of a newer schema is refused, and a file of an older schema is
 * upgraded.
 */
export const schemaVersion = 6;

/** 'hold' in ASCII: SQLite's application_id of a Holdfast file, so that another program's file is refused. */
const applicationId = 0x686f6c64;

/**
 * The SQLite tables of the store. `task` has narrow rows in acceptance order, so that claims and settlements touch
 * neighbouring pages; `body` is written once. Names of queues and task types are interned, which keeps rows narrow. An
 * idempotency key that ascends is indexed as it is, since a hash would scatter such keys over the whole index. Another key
 * is found by its hash (`keys/hashed-keys.ts`): its task has 0 in `superseded`, which is NULL while the key is in the index,
 * and 1 once a newer task has the key. `dispatchable` is 1 while the task is ready and the first of its lane (the tasks of
 * one ordering key). `archived_event` holds events that were moved out of a task's row; the key of each such row has the
 * number of its last event. The columns `…sum` are checksums; they are NULL in rows that an earlier version wrote.
 */
const tables = `
CREATE TABLE queue (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,
  scheduled INTEGER NOT NULL, ready INTEGER NOT NULL, running INTEGER NOT NULL, dead INTEGER NOT NULL,
  UNIQUE (tenant, name)
) STRICT;
CREATE TABLE task_type (
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, version INTEGER NOT NULL, UNIQUE (type, version)
) STRICT;
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL, task_type INTEGER NOT NULL, priority INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  key TEXT NOT NULL, ordering_key TEXT, lane_seq INTEGER, superseded INTEGER,
  state INTEGER NOT NULL, dispatchable INTEGER, due INTEGER,
  revision INTEGER NOT NULL DEFAULT 1, version INTEGER NOT NULL DEFAULT 1,
  fencing_token INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, releases INTEGER NOT NULL DEFAULT 0,
  flags INTEGER NOT NULL, wait_until INTEGER, deadline INTEGER, lifetime_end INTEGER,
  lease_end INTEGER, timeout_at INTEGER, worker TEXT NOT NULL DEFAULT '', ended_at INTEGER,
  last_error TEXT NOT NULL DEFAULT '', progress TEXT, events BLOB NOT NULL DEFAULT x'',
  losses INTEGER NOT NULL DEFAULT 0, lease_secret TEXT NOT NULL DEFAULT '', head_sum INTEGER, events_sum INTEGER
) STRICT;
CREATE TABLE body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE result (seq INTEGER PRIMARY KEY, result BLOB NOT NULL, sum INTEGER) STRICT;
CREATE TABLE lane (
  queue INTEGER NOT NULL, ordering_key TEXT NOT NULL, lane_seq INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (queue, ordering_key, lane_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE registry (
  kind TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL, value TEXT NOT NULL, sum INTEGER, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX task_key ON task (queue, key) WHERE superseded IS NULL;
CREATE INDEX task_ready ON task (queue, priority, task_type) WHERE dispatchable = 1;
CREATE INDEX task_due ON task (due) WHERE due IS NOT NULL;
CREATE INDEX task_lease ON task (lease_end) WHERE lease_end IS NOT NULL;
CREATE INDEX task_list ON task (queue, accepted_at);
CREATE INDEX task_state ON task (queue, state, accepted_at) WHERE state = 0 OR state = 4 OR state = 5;
CREATE INDEX task_retrying ON task (queue, accepted_at) WHERE (flags & 16) <> 0;
${archivedEventTable}${identityTable}${keyTables}`;

function pragma(db: DatabaseSync, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return Number(row?.[name] ?? 0);
}

/**
 * Returns whether a store file has the tables of this version, and not of an earlier one. Throws SCHEMA_NEWER for a file
 * of a newer schema and BAD_CONFIGURATION for another program's database.
 */
export function ensureKnownSchema(db: DatabaseSync, path: string): boolean {
  const version = pragma(db, 'user_version');
  if (version > schemaVersion) {
    throw new HoldfastError(
      'FAILED_PRECONDITION',
      'SCHEMA_NEWER',
      `${path} was written by a newer Holdfast (schema ${version}; this one knows ${schemaVersion})`,
      { help: 'Run the newer version again, or restore a backup that was made before the upgrade.' },
    );
  }
  if (version === 0 || pragma(db, 'application_id') !== applicationId) throw foreignDatabase(path);
  return version === schemaVersion;
}

function foreignDatabase(path: string): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', `${path} belongs to another program`, {
    help: 'It is an SQLite database, but not one of Holdfast. Name another file, or one that does not exist yet.',
  });
}

/**
 * Creates the tables of a new store file, or upgrades the tables of an older one. Throws SCHEMA_NEWER for a file of a
 * newer schema and BAD_CONFIGURATION for another program's database.
 */
export function prepareSchema(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  const objects = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n;
  if (version === 0 && objects === 0) {
    db.exec(
      `BEGIN IMMEDIATE; ${tables} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`,
    );
    return;
  }
  if (ensureKnownSchema(db, path)) return;
  db.exec(`BEGIN IMMEDIATE; ${upgradeStatements(version)} PRAGMA user_version = ${schemaVersion}; COMMIT`);
}
