import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HoldfastError } from '../../../core/errors.ts';
import { dueAtMs } from '../../../core/task/head.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { identityOf } from '../log/identity.ts';
import { bytesChecksum, registryChecksum } from '../rows/checksums.ts';
import { InternedNames, states } from '../rows/interned-names.ts';
import { resultBytesOf } from '../rows/results.ts';
import { columns, type Row, ready, snapshotOf } from '../rows/rows.ts';
import { keyFaults } from './keys.ts';

/** SQLite's own check names at most this many faults. */
const mostFaults = 20;

type Rows<T> = Iterable<T>;

function arrays(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

function rowsOf<T>(db: DatabaseSync, sql: string): Rows<T> {
  return arrays(db, sql).iterate() as Iterable<unknown> as Rows<T>;
}

/** SQLite's check of the pages, and of each index against its table. */
export function* sqliteFaults(db: DatabaseSync): Generator<string> {
  for (const [text] of rowsOf<[string]>(db, `PRAGMA integrity_check(${mostFaults})`))
    if (text !== 'ok') yield text;
}

/** Tables whose rows belong to tasks; each of their rows must have its task. */
const ofTasks = ['body', 'result', 'archived_event'] as const;

function* orphans(db: DatabaseSync): Generator<string> {
  for (const table of ofTasks) {
    const sql = `SELECT seq FROM ${table} WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = ${table}.seq)`;
    for (const [seq] of rowsOf<[number]>(db, sql))
      yield `the table ${table} has a row ${seq} without its task`;
  }
}

/** The columns of a task that follow from its state. */
type Derived = [due: number | null, dispatchable: number | null, lowest: number | null];

function derivedFault(
  { head, submission, laneSeq }: Snapshot,
  state: number,
  [due, dispatchable, lowest]: Derived,
) {
  if (due !== (dueAtMs(head) ?? null)) return 'its due time is not that of its state';
  if (dispatchable === 1 && state !== ready) return 'it is in the index of ready tasks, but not ready';
  const isFirst = submission.orderingKey === undefined || lowest === laneSeq;
  if (dispatchable !== 1 && state === ready && isFirst)
    return 'it is ready, but not in the index of ready tasks';
  return undefined;
}

function* taskFaults(db: DatabaseSync, names: InternedNames): Generator<string> {
  const result = arrays(db, 'SELECT result, sum FROM result WHERE seq = ?');
  const archived = arrays(db, 'SELECT last, events, sum FROM archived_event WHERE seq = ? ORDER BY last');
  const sql = `SELECT ${columns}, t.due, t.dispatchable, (SELECT min(l.lane_seq) FROM lane l
    WHERE l.queue = t.queue AND l.ordering_key = t.ordering_key) FROM task t LEFT JOIN body b ON b.seq = t.seq`;
  for (const row of rowsOf<[...Row, ...Derived]>(db, sql)) {
    const seq = row[0];
    let snapshot: Snapshot;
    try {
      snapshot = snapshotOf(row as unknown as Row, names);
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown;
      yield thrown.message;
      continue;
    }
    const named = `task '${snapshot.id}': `;
    const derived = derivedFault(snapshot, row[9], row.slice(-3) as unknown as Derived);
    if (derived !== undefined) yield named + derived;
    const found = result.get(seq) as unknown as [Uint8Array, number | null] | undefined;
    if (found === undefined ? resultBytesOf(snapshot) > 0 : isOther(found[1], bytesChecksum(seq, found[0])))
      yield `${named}its result is damaged or missing`;
    let last = 1;
    for (const [until, events, sum] of archived.all(seq) as unknown as [
      number,
      Uint8Array,
      number | null,
    ][]) {
      last = until;
      if (isOther(sum, bytesChecksum(seq, events))) yield `${named}its older events are damaged`;
    }
    if (snapshot.head.version !== last + snapshot.tip.length) yield `${named}events are missing`;
  }
}

/** Returns whether a checksum is there and is not the right one. Rows of earlier versions have none. */
function isOther(sum: number | null, right: number): boolean {
  return sum !== null && sum !== right;
}

function* laneFaults(db: DatabaseSync): Generator<string> {
  const lost = `SELECT l.seq FROM lane l LEFT JOIN task t ON t.seq = l.seq
    AND t.queue = l.queue AND t.ordering_key = l.ordering_key AND t.lane_seq = l.lane_seq WHERE t.seq IS NULL`;
  for (const [seq] of rowsOf<[number]>(db, lost)) yield `a lane has a place for row ${seq}, but no such task`;
  const unplaced = `SELECT t.seq FROM task t WHERE t.state <= 2 AND (t.flags & 1) <> 0 AND NOT EXISTS (SELECT 1 FROM lane l
    WHERE l.queue = t.queue AND l.ordering_key = t.ordering_key AND l.lane_seq = t.lane_seq AND l.seq = t.seq)`;
  for (const [seq] of rowsOf<[number]>(db, unplaced)) yield `the task of row ${seq} has no place in its lane`;
}

function* countFaults(db: DatabaseSync): Generator<string> {
  const counted = ['scheduled', 'ready', 'running', 'dead'] as const;
  const sums = counted.map(
    (name) => `(SELECT count(*) FROM task WHERE queue = q.id AND state = ${states.indexOf(name)})`,
  );
  const sql = `SELECT q.tenant, q.name FROM queue q WHERE (${counted.join(', ')}) <> (${sums.join(', ')})`;
  for (const [tenant, name] of rowsOf<[string, string]>(db, sql))
    yield `the numbers of tasks of the queue '${name}' of the tenant '${tenant}' are wrong`;
}

function* registryFaults(db: DatabaseSync): Generator<string> {
  const sql = 'SELECT kind, key, rev, value, sum FROM registry';
  for (const [kind, key, rev, value, sum] of rowsOf<[string, string, number, string, number | null]>(db, sql))
    if (isOther(sum, registryChecksum(kind, key, rev, value)))
      yield `the entry '${key}' of the registry is damaged`;
  const [text] = (arrays(db, 'SELECT text FROM identity').get() as unknown as [string] | undefined) ?? [];
  if (text !== undefined && identityOf(text) === undefined) yield 'the identity of the store is damaged';
}

/**
 * Returns sentences that say what is damaged in an open store: pages, an index that disagrees with its table, a row whose
 * checksum does not match, and rows of different tables that do not fit together. Reads all of the file.
 */
export function* contentFaults(db: DatabaseSync): Generator<string> {
  let isWellFormed = true;
  for (const text of sqliteFaults(db)) {
    isWellFormed = false;
    yield text;
  }
  if (!isWellFormed) return;
  yield* orphans(db);
  yield* taskFaults(db, new InternedNames(db));
  yield* laneFaults(db);
  yield* keyFaults(db);
  yield* countFaults(db);
  yield* registryFaults(db);
}
