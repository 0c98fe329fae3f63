import { encodeEvents } from '../../core/codec/event.ts';
import { checkSubmission } from '../../core/submission/check.ts';
import { isKeyFree } from '../../core/submission/key.ts';
import type { Claimed } from '../../core/task/event.ts';
import { dueAtMs, type Head } from '../../core/task/head.ts';
import type { Acceptance, Accepted, Snapshot } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { isEmpty } from './lanes.ts';
import { idOf, placeOf } from './rows/ids.ts';
import type { QueueName } from './rows/interned-names.ts';
import { encodeBody, flagsOf, priorityNumber, ready, stateNumber } from './rows/rows.ts';
import { snapshotOfKey } from './snapshots.ts';

/** It leaves the index of keys, and is still found by its id. */
function giveUpKey(context: SqliteContext, queue: QueueName, { id, head, submission }: Snapshot): void {
  const place = placeOf(id);
  if (place === undefined) throw new RangeError(`the id ${id} is none of this engine`);
  const { seq, acceptedAtMs } = place;
  context.sql.supersede.run(seq, acceptedAtMs, head.revision, queue.id, submission.scope.key);
}

/** False: the key is taken. */
function insertTask(
  context: SqliteContext,
  queue: QueueName,
  kind: number,
  seq: number,
  dispatchable: boolean,
  { submission, head }: Acceptance,
): boolean {
  const { orderingKey } = submission;
  const { changes } = context.sql.insertTask.run(
    seq,
    queue.id,
    kind,
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
  );
  return changes === 1;
}

/** The same of one that is claimed at once. Its due entry is cleared with the claim, so it never has one. */
function insertClaimed(
  context: SqliteContext,
  queue: QueueName,
  kind: number,
  seq: number,
  { submission, head }: Acceptance,
  claimed: Claimed,
): boolean {
  const { changes } = context.sql.insertClaimed.run(
    seq,
    queue.id,
    kind,
    priorityNumber(submission.options.priority),
    submission.acceptedAtMs,
    submission.expiresAtMs,
    submission.scope.key,
    head.fencingToken,
    head.attempt,
    head.deadlineAtMs ?? null,
    head.lifetimeEndAtMs ?? null,
    head.leaseEndAtMs ?? null,
    head.timeoutAtMs ?? null,
    head.worker,
    encodeEvents([claimed]),
  );
  return changes === 1;
}

function bornAt(head: Head, revision: number): Pick<Snapshot, 'head' | 'tip'> {
  return { head: head.revision === revision ? head : { ...head, revision }, tip: [] };
}

function isDispatchable(
  context: SqliteContext,
  queue: QueueName,
  head: Head,
  ordering: string | undefined,
): boolean {
  if (stateNumber(head) !== ready) return false;
  return ordering === undefined || isEmpty(context, queue.id, ordering);
}

/**
 * Within a transaction: the unique index on the key decides. A task of a lane gets its pointer, and its bell where
 * nobody is before it.
 */
export function acceptOne(context: SqliteContext, item: Acceptance): Accepted {
  const { submission, head } = item;
  const error = checkSubmission(submission);
  if (error !== undefined) return { kind: 'failed', error };
  const { tenant, queue: queueName, key } = submission.scope;
  const queue = context.names.queue(tenant, queueName);
  if (context.names.writeQueue(queue)) context.readyIndex.begin(queue);
  const kind = context.names.kind(submission.type, submission.typeVersion);
  const seq = context.lastSeq + 1;
  const { orderingKey } = submission;
  const dispatchable = isDispatchable(context, queue, head, orderingKey);
  const { claimed } = item;
  const insert = (): boolean =>
    claimed === undefined
      ? insertTask(context, queue, kind.id, seq, dispatchable, item)
      : insertClaimed(context, queue, kind.id, seq, item, claimed);
  if (!insert()) {
    const existing = snapshotOfKey(context, queue, key);
    if (existing === undefined) throw new RangeError(`the key of task ${seq} is taken by nobody`);
    if (!isKeyFree(existing, submission.acceptedAtMs)) return { kind: 'existing', snapshot: existing };
    giveUpKey(context, queue, existing);
    if (!insert()) throw new RangeError(`the key of task ${seq} was not given up`);
  }
  context.lastSeq = seq;
  context.sql.insertBody.run(seq, encodeBody(submission));
  if (orderingKey !== undefined) context.sql.insertPointer.run(queue.id, orderingKey, seq, seq);
  context.stats.rowsWritten += orderingKey === undefined ? 2 : 3;
  context.stats.accepted++;
  context.names.moved(queue, undefined, stateNumber(head));
  context.firstExpiryMs = Math.min(context.firstExpiryMs, submission.expiresAtMs);
  const snapshot: Snapshot = {
    id: idOf(seq, submission.acceptedAtMs),
    submission,
    laneSeq: orderingKey === undefined ? undefined : seq,
    ...(claimed === undefined ? bornAt(head, 1) : { ...bornAt(head, 2), tip: [claimed] }),
  };
  const at = { queue, priority: priorityNumber(submission.options.priority), kind };
  if (dispatchable) context.readyIndex.ready(seq, at, 1, submission.acceptedAtMs, snapshot);
  else if (claimed !== undefined) context.readyIndex.claimed(seq, at, 2, head.leaseEndAtMs);
  return { kind: 'fresh', snapshot };
}
