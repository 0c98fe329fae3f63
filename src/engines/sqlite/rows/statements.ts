import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { laneFactor, revisionFactor, sumMask } from './checksums.ts';
import { begun, columns } from './rows.ts';

/** The SQL expression of a task's checksum, from the part that is bound to it and the columns that the statement keeps. */
function headSum(revision: string): string {
  return `head_sum = (? + ${revision} * ${revisionFactor} + coalesce(lane_seq, 0) * ${laneFactor}) & ${sumMask}`;
}

const setHead = `revision = revision + 1, state = ?, dispatchable = ?, due = ?, version = ?, fencing_token = ?, attempt = ?,
 releases = ?, losses = ?, flags = ?, wait_until = ?, deadline = ?, lifetime_end = ?, lease_end = ?, timeout_at = ?,
 worker = ?, ended_at = ?, last_error = ?, progress = ?, lease_secret = ?, ${headSum('(revision + 1)')},
 events_sum = (events_sum * ? + ?) & ${sumMask}, events = CAST(events || ? AS BLOB)`;

/**
 * Prepares every SQL statement of the hot path once. Rows are returned as arrays, because rows as objects cost twice as
 * much.
 */
export function prepareStatements(db: DatabaseSync) {
  const write = (sql: string): StatementSync => db.prepare(sql);
  const read = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  const snapshot = `SELECT ${columns} FROM task t LEFT JOIN body b ON b.seq = t.seq`;
  return {
    begin: write('BEGIN IMMEDIATE'),
    commit: write('COMMIT'),
    insertTask:
      write(`INSERT INTO task (seq, queue, task_type, priority, accepted_at, expires_at, key, ordering_key, lane_seq,
      state, dispatchable, due, flags, wait_until, deadline, lifetime_end, head_sum, superseded, events_sum)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
      ON CONFLICT (queue, key) WHERE superseded IS NULL DO NOTHING`),
    insertClaimed:
      write(`INSERT INTO task (seq, queue, task_type, priority, accepted_at, expires_at, key, state, flags, revision, version,
      fencing_token, attempt, deadline, lifetime_end, lease_end, timeout_at, worker, lease_secret, head_sum,
      superseded, events_sum, events)
      VALUES (?, ?, ?, ?, ?, ?, ?, 2, ?, 2, 2, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (queue, key) WHERE superseded IS NULL DO NOTHING`),
    insertBody: write('INSERT INTO body (seq, body) VALUES (?, ?)'),
    insertResult: write('INSERT OR REPLACE INTO result (seq, result, sum) VALUES (?, ?, ?)'),
    supersede: write(`UPDATE task SET superseded = 1
      WHERE seq = ? AND accepted_at = ? AND revision = ? AND queue = ? AND key = ? AND superseded IS NOT 1`),
    insertKeyHash: write('INSERT OR REPLACE INTO key_hash (hash, seq) VALUES (?, ?)'),
    deleteKeyHash: write('DELETE FROM key_hash WHERE hash = ? AND seq = ?'),
    seqOfHash: read('SELECT seq FROM key_hash WHERE hash = ?'),
    hashedAfter: read('SELECT seq, queue, key FROM task WHERE seq > ? AND superseded = 0'),
    saveKeyBound: write('INSERT OR REPLACE INTO key_bound (queue, key) VALUES (?, ?)'),
    updateAtRevision: write(
      `UPDATE task SET ${setHead} WHERE seq = ? AND accepted_at = ? AND revision = ? AND version = ?`,
    ),
    updateAtFencingToken: write(
      `UPDATE task SET ${setHead} WHERE seq = ? AND accepted_at = ? AND state = 2 AND fencing_token = ? AND version = ?`,
    ),
    /**
     * Writes the first claim of a task without a deadline, a lifetime or a lane. Most claims are like this and set few
     * columns.
     */
    claimFirst:
      write(`UPDATE task SET revision = 2, state = 2, dispatchable = NULL, version = 2, fencing_token = ?, attempt = 1,
      lease_end = ?, timeout_at = ?, flags = ?, worker = ?, lease_secret = ?, ${headSum('2')},
      events_sum = ?, events = ?
      WHERE seq = ? AND accepted_at = ? AND revision = 1 AND version = 1 AND flags = 0 AND state = 1 AND due IS NULL`),
    /** Writes the success of a task with no flag but `begun`. Most settlements are like this and set few columns. */
    succeed:
      write(`UPDATE task SET revision = revision + 1, state = 3, version = ?, lease_end = NULL, timeout_at = NULL,
      flags = 0, ended_at = ?, progress = NULL, ${headSum('(revision + 1)')},
      events_sum = (events_sum * ? + ?) & ${sumMask},
      events = CAST(events || ? AS BLOB)
      WHERE seq = ? AND accepted_at = ? AND state = 2 AND fencing_token = ? AND version = ? AND (flags | ${begun}) = ${begun}`),
    renew:
      write(`UPDATE task SET revision = revision + 1, lease_end = ?, flags = ?, progress = ?, ${headSum('(revision + 1)')}
      WHERE seq = ? AND accepted_at = ? AND state = 2 AND fencing_token = ?`),
    setEvents: write('UPDATE task SET events = ?, events_sum = ? WHERE seq = ?'),
    insertArchived: write('INSERT INTO archived_event (seq, last, events, sum) VALUES (?, ?, ?, ?)'),
    setDispatchable: write('UPDATE task SET dispatchable = 1 WHERE seq = ?'),
    setLaneSeq: write('UPDATE task SET lane_seq = ? WHERE seq = ?'),

    /** Selects the columns of a task's row that the type `TaskStateRow` lists. */
    taskState: read(
      'SELECT accepted_at, state, revision, version, fencing_token, queue, task_type, priority, dispatchable, lane_seq, ordering_key FROM task WHERE seq = ?',
    ),
    snapshot: read(`${snapshot} WHERE t.seq = ?`),
    byKey: read(`${snapshot} WHERE t.queue = ? AND t.key = ? AND t.superseded IS NULL`),
    hasIndexedKey: read('SELECT 1 FROM task WHERE queue = ? AND key = ? AND superseded IS NULL'),
    result: read(
      'SELECT r.result, r.sum FROM result r JOIN task t ON t.seq = r.seq WHERE t.seq = ? AND t.accepted_at = ? AND t.expires_at > ?',
    ),
    events: read('SELECT events FROM task WHERE seq = ?'),
    archived: read('SELECT last, events, sum FROM archived_event WHERE seq = ? AND last > ? ORDER BY last'),
    due: read(
      'SELECT seq, accepted_at, due, queue FROM task WHERE due <= ? AND (due, seq) > (?, ?) ORDER BY due, seq LIMIT ?',
    ),
    expiredLeases: read(
      'SELECT seq, queue, task_type, priority FROM task WHERE lease_end <= ? ORDER BY lease_end LIMIT ?',
    ),

    nextLeaseEnd: read('SELECT min(lease_end) FROM task WHERE lease_end > ?'),

    readyAfter:
      read(`${snapshot} WHERE t.queue = ? AND t.priority = ? AND t.task_type = ? AND t.dispatchable = 1 AND t.seq > ?
      ORDER BY t.seq LIMIT ?`),
    countReady: read(`SELECT count(*) FROM (SELECT 1 FROM task INDEXED BY task_ready
      WHERE queue = ? AND priority = ? AND task_type = ? AND dispatchable = 1 LIMIT ?)`),
    nextTaskType: read(`SELECT min(task_type) FROM task INDEXED BY task_ready
      WHERE queue = ? AND priority = ? AND dispatchable = 1 AND task_type > ?`),

    firstPointer: read(
      'SELECT lane_seq, seq FROM lane WHERE queue = ? AND ordering_key = ? ORDER BY lane_seq LIMIT 1',
    ),
    insertPointer: write('INSERT INTO lane (queue, ordering_key, lane_seq, seq) VALUES (?, ?, ?, ?)'),
    deletePointer: write(
      'DELETE FROM lane WHERE queue = ? AND ordering_key = ? AND lane_seq = ? AND seq = ?',
    ),

    expiries: read('SELECT seq, expires_at FROM task WHERE seq > ? ORDER BY seq LIMIT ?'),
    deleteTask: write('DELETE FROM task WHERE seq = ?'),
    deleteBody: write('DELETE FROM body WHERE seq = ?'),
    deleteArchived: write('DELETE FROM archived_event WHERE seq = ?'),
    deleteResult: write('DELETE FROM result WHERE seq = ?'),
    lastSeq: read(
      'SELECT max((SELECT coalesce(max(seq), 0) FROM task), coalesce((SELECT value FROM counter WHERE name = ?), 0))',
    ),
    counter: read('SELECT value FROM counter WHERE name = ?'),
    saveSeq: write(
      'INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)',
    ),

    registryGet: read('SELECT rev, value, sum FROM registry WHERE kind = ? AND key = ?'),
    registryList: read(
      'SELECT key, rev, value, sum FROM registry WHERE kind = ? AND key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key',
    ),
    registryInsert: write(
      'INSERT INTO registry (kind, key, rev, value, sum) VALUES (?, ?, 1, ?, ?) ON CONFLICT DO NOTHING',
    ),
    registryUpdate: write(
      'UPDATE registry SET rev = rev + 1, value = ?, sum = ? WHERE kind = ? AND key = ? AND rev = ?',
    ),

    checkpointState: read('PRAGMA wal_checkpoint(NOOP)'),
    checkpoint: read('PRAGMA wal_checkpoint(PASSIVE)'),
  };
}

export type Statements = ReturnType<typeof prepareStatements>;
