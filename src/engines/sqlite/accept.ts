import { encodeEvents } from '../../core/codec/event.ts';
import { checkSubmission } from '../../core/submission/check.ts';
import { isKeyFree } from '../../core/submission/key.ts';
import type { ClaimedEvent } from '../../core/task/event.ts';
import { dueAtMs, type Head } from '../../core/task/head.ts';
import type { Acceptance, AcceptOutcome, Snapshot } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { hashed } from './keys/hashed-keys.ts';
import { isEmpty } from './lanes.ts';
import { eventsChecksum, headSumOf } from './rows/checksums.ts';
import { addressOf, idOf } from './rows/ids.ts';
import type { InternedQueue } from './rows/interned-names.ts';
import { encodeBody, flagsOf, headPart, priorityNumber, ready, stateNumber } from './rows/rows.ts';
import { snapshotOfHashedKey, snapshotOfKey } from './snapshots.ts';

/**
 * Takes the idempotency key from an older task, so that a newer task can have the key. Reads by id still find the older
 * task.
 */
function releaseKey(context: SqliteContext, queue: InternedQueue, { id, head, submission }: Snapshot): void {
  const address = addressOf(id);
  if (address === undefined) throw new RangeError(`this engine did not make the task id ${id}`);
  const { seq, acceptedAtMs } = address;
  context.sql.supersede.run(seq, acceptedAtMs, head.revision, queue.id, submission.scope.key);
  context.keys.remove(queue.id, submission.scope.key, seq);
}

/** The value of `superseded` of a new task: NULL if its key is in the index `task_key`, `hashed` if it is found by its hash. */
type KeyPlace = null | typeof hashed;

/**
 * Returns where the key of a new task belongs, or 'taken' if a hashed key is equal to it. Whether an equal key is in the
 * index `task_key` is found by the insert, if the new key belongs there too.
 */
function placeOfKey(context: SqliteContext, queue: InternedQueue, key: string): KeyPlace | 'taken' {
  const { keys, sql } = context;
  const belongsInIndex = keys.belongsInIndex(queue.id, key);
  if (belongsInIndex && !keys.mayHave(queue.id, key)) return null;
  if (keys.find(queue.id, key) !== undefined)
    return snapshotOfHashedKey(context, queue, key) === undefined ? null : 'taken';
  if (belongsInIndex) return null;
  return sql.hasIndexedKey.get(queue.id, key) === undefined ? hashed : 'taken';
}

/** Inserts the row of a new task. Returns false if another task has the idempotency key. */
function insertTask(
  context: SqliteContext,
  queue: InternedQueue,
  taskType: number,
  seq: number,
  dispatchable: boolean,
  { submission, head }: Acceptance,
  keyPlace: KeyPlace,
): boolean {
  const { orderingKey } = submission;
  const { changes } = context.sql.insertTask.run(
    seq,
    queue.id,
    taskType,
    priorityNumber(submission.options.priority),
    submission.acceptedAtMs,
    submission.expiresAtMs,
    submission.scope.key,
    orderingKey ?? null,
    orderingKey === undefined ? null : seq,
    stateNumber(head),
    dispatchable ? 1 : null,
    dueAtMs(head) ?? null,
    flagsOf(head),
    head.waitUntilMs ?? null,
    head.deadlineAtMs ?? null,
    head.lifetimeEndAtMs ?? null,
    headSumOf(headPart(seq, head), 1, orderingKey === undefined ? null : seq),
    keyPlace,
  );
  return changes === 1;
}

/**
 * Inserts the row of a task that is claimed in the commit that accepts it. Returns false if another task has the
 * idempotency key. The row has no due time, the time at which a sweep would find the task, because a claim clears this
 * time.
 */
function insertClaimed(
  context: SqliteContext,
  queue: InternedQueue,
  taskType: number,
  seq: number,
  { submission, head }: Acceptance,
  claimed: ClaimedEvent,
  keyPlace: KeyPlace,
): boolean {
  const events = encodeEvents([claimed]);
  const { changes } = context.sql.insertClaimed.run(
    seq,
    queue.id,
    taskType,
    priorityNumber(submission.options.priority),
    submission.acceptedAtMs,
    submission.expiresAtMs,
    submission.scope.key,
    flagsOf(head),
    head.fencingToken,
    head.attempt,
    head.deadlineAtMs ?? null,
    head.lifetimeEndAtMs ?? null,
    head.leaseEndAtMs ?? null,
    head.timeoutAtMs ?? null,
    head.worker,
    head.leaseSecret,
    headSumOf(headPart(seq, head), 2, null),
    keyPlace,
    eventsChecksum(events).sum,
    events,
  );
  return changes === 1;
}

function headAtRevision(head: Head, revision: number): Pick<Snapshot, 'head' | 'tip'> {
  return { head: head.revision === revision ? head : { ...head, revision }, tip: [] };
}

function isDispatchable(
  context: SqliteContext,
  queue: InternedQueue,
  head: Head,
  orderingKey: string | undefined,
): boolean {
  if (stateNumber(head) !== ready) return false;
  return orderingKey === undefined || isEmpty(context, queue.id, orderingKey);
}

/**
 * Accepts one submission within a transaction, unless its idempotency key is taken: the unique index on the key decides
 * that. A task with an ordering key also gets a pointer (a place) in its lane, and is dispatchable only if the lane was
 * empty.
 */
export function acceptOne(context: SqliteContext, item: Acceptance): AcceptOutcome {
  const { submission, head } = item;
  const error = checkSubmission(submission);
  if (error !== undefined) return { kind: 'failed', error };
  const { tenant, queue: queueName, key } = submission.scope;
  const queue = context.names.queue(tenant, queueName);
  if (context.names.internQueue(queue)) context.readyIndex.addEmptyQueue(queue);
  const taskType = context.names.taskType(submission.type, submission.typeVersion);
  const seq = context.lastSeq + 1;
  const { orderingKey } = submission;
  const dispatchable = isDispatchable(context, queue, head, orderingKey);
  const { claimed } = item;
  const insert = (keyPlace: KeyPlace): boolean =>
    claimed === undefined
      ? insertTask(context, queue, taskType.id, seq, dispatchable, item, keyPlace)
      : insertClaimed(context, queue, taskType.id, seq, item, claimed, keyPlace);
  const keyPlace = placeOfKey(context, queue, key);
  if (keyPlace === 'taken' || !insert(keyPlace)) {
    const existing = snapshotOfKey(context, queue, key);
    if (existing === undefined) throw new RangeError(`the key of task ${seq} is taken, but no task has it`);
    if (!isKeyFree(existing, submission.acceptedAtMs)) return { kind: 'existing', snapshot: existing };
    releaseKey(context, queue, existing);
    if (!insert(null))
      throw new RangeError(`the key of task ${seq} is still taken after its owner released it`);
  } else if (keyPlace === hashed) context.keys.add(queue.id, key, seq);
  context.lastSeq = seq;
  context.sql.insertBody.run(seq, encodeBody(seq, submission));
  if (orderingKey !== undefined) context.sql.insertPointer.run(queue.id, orderingKey, seq, seq);
  context.stats.rowsWritten += orderingKey === undefined ? 2 : 3;
  context.stats.accepted++;
  context.names.recordStateChange(queue, undefined, stateNumber(head));
  context.earliestExpiryMs = Math.min(context.earliestExpiryMs, submission.expiresAtMs);
  const snapshot: Snapshot = {
    id: idOf(seq, submission.acceptedAtMs),
    submission,
    laneSeq: orderingKey === undefined ? undefined : seq,
    ...(claimed === undefined ? headAtRevision(head, 1) : { ...headAtRevision(head, 2), tip: [claimed] }),
  };
  const listKey = { queue, priority: priorityNumber(submission.options.priority), taskType };
  if (dispatchable) context.readyIndex.setReady(seq, listKey, 1, submission.acceptedAtMs, snapshot);
  else if (claimed !== undefined) context.readyIndex.addRunning(seq, listKey, 2, head.leaseEndAtMs);
  return { kind: 'fresh', snapshot };
}
