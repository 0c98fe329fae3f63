import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { storedUpTo } from '../keys/hashed-keys.ts';
import { keyHash } from '../keys/key-hash.ts';

function arrays(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

/** Hashes of keys without their task. */
function* strayHashes(db: DatabaseSync): Generator<string> {
  const sql =
    'SELECT k.hash, k.seq, t.queue, t.key FROM key_hash k LEFT JOIN task t ON t.seq = k.seq AND t.superseded = 0';
  const rows = arrays(db, sql).iterate() as Iterable<unknown> as Iterable<
    [hash: number, seq: number, queue: number | null, key: string]
  >;
  for (const [hash, seq, queue, key] of rows)
    if (queue === null || keyHash(queue, key) !== hash)
      yield `the table key_hash has row ${seq} for a key that its task does not have`;
}

/** Tasks whose key a submission with the same key would not find. */
function* lostKeys(db: DatabaseSync): Generator<string> {
  const [stored] = (arrays(db, 'SELECT value FROM counter WHERE name = ?').get(storedUpTo) as unknown as
    | [number]
    | undefined) ?? [0];
  const seqOfHash = arrays(db, 'SELECT seq FROM key_hash WHERE hash = ?');
  const sql = `SELECT t.seq, t.queue, t.key, b.key FROM task t LEFT JOIN key_bound b ON b.queue = t.queue
    WHERE t.superseded = 0`;
  const rows = arrays(db, sql).iterate() as Iterable<unknown> as Iterable<
    [seq: number, queue: number, key: string, bound: string | null]
  >;
  for (const [seq, queue, key, bound] of rows) {
    const [found] = (seqOfHash.get(keyHash(queue, key)) as unknown as [number] | undefined) ?? [];
    if (found === undefined ? seq <= stored : found !== seq)
      yield `the key of the task of row ${seq} is missing in the table key_hash`;
    if (bound === null || key > bound)
      yield `the key of the task of row ${seq} is beyond the bound of its queue`;
  }
}

/** Returns sentences that say which idempotency keys outside the index `task_key` would not be found, or are nobody's. */
export function* keyFaults(db: DatabaseSync): Generator<string> {
  yield* strayHashes(db);
  yield* lostKeys(db);
  const unknown = 'SELECT seq FROM task WHERE superseded NOT IN (0, 1)';
  for (const [seq] of arrays(db, unknown).iterate() as Iterable<unknown> as Iterable<[number]>)
    yield `the task of row ${seq} does not say where its key is`;
}
