import { encodeEvents } from '../../core/codec/event.ts';
import { checkProgress, checkTransition } from '../../core/submission/check.ts';
import { dueAtMs, type Head } from '../../core/task/head.ts';
import type { Change, LeaseRenewal, Transition, WriteOutcome } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { isLowest, rejoinLane, type TaskStateRow, taskStateAt } from './lanes.ts';
import { logLostClaim } from './lost-race.ts';
import { archiveOlder } from './rows/archived-events.ts';
import { bytesChecksum, eventsChecksum } from './rows/checksums.ts';
import { addressOf, type RowAddress } from './rows/ids.ts';
import type { InternedQueue, InternedTaskType } from './rows/interned-names.ts';
import { flagsOf, headPart, progressText, ready, running, stateNumber } from './rows/rows.ts';
import { snapshotOfId } from './snapshots.ts';

const noEvents = new Uint8Array(0);

/**
 * The fields of the task, as it was before a change, that applying the change needs. The fields come from the ready
 * index in memory or, if the task is not there, from its row in the file.
 */
interface TaskBefore {
  readonly queue: InternedQueue;
  readonly taskType: InternedTaskType;
  readonly priority: number;
  readonly state: number;
  readonly revision: number;
}

function beforeOf(context: SqliteContext, seq: number): TaskBefore | undefined {
  const entry = context.readyIndex.entry(seq);
  if (entry !== undefined && entry.revision > 0) {
    const { queue, taskType, priority } = entry.list;
    return { queue, taskType, priority, state: entry.taskState, revision: entry.revision };
  }
  const row = taskStateAt(context, seq);
  return row === undefined ? undefined : beforeOfRow(context, row);
}

function beforeOfRow(context: SqliteContext, row: TaskStateRow): TaskBefore {
  const [, state, revision, , , queue, taskType, priority] = row;
  return {
    queue: context.names.queueOf(queue),
    taskType: context.names.taskTypeOf(taskType),
    priority,
    state,
    revision,
  };
}

function conflict(context: SqliteContext, change: Change): WriteOutcome {
  context.stats.conflicts++;
  const current = snapshotOfId(context, change.id);
  if (current !== undefined) logLostClaim(context, change, current);
  return { kind: 'conflict', current };
}

/**
 * Returns the outcome of a change that updated no row: a conflict if its condition failed, or the error that makes the
 * change invalid.
 */
function explainUnwritten(context: SqliteContext, address: RowAddress, change: Transition): WriteOutcome {
  const row = taskStateAt(context, address.seq);
  const error =
    row !== undefined && conditionHolds(row, address, change) ? checkTransition(change, row[3]) : undefined;
  return error === undefined ? conflict(context, change) : { kind: 'failed', error };
}

/**
 * Returns whether the version of a change's new head is the expected version plus the number of the change's events.
 */
function countsItsEvents({ expect, head, events }: Transition): boolean {
  return 'revision' in expect || head.version === expect.version + events.length;
}

/**
 * Returns whether a change is the first claim of a task without a deadline or a lifetime, so that the SQL statement
 * `claimFirst` can write it.
 */
function isPlainClaim({ head, expect, events }: Transition): boolean {
  return (
    'revision' in expect &&
    expect.revision === 1 &&
    events.length === 1 &&
    events[0]?.kind === 'claimed' &&
    head.version === 2 &&
    head.deadlineAtMs === undefined &&
    head.lifetimeEndAtMs === undefined
  );
}

function claimFirst(context: SqliteContext, address: RowAddress, { head, events }: Transition): boolean {
  const bytes = encodeEvents(events);
  const { changes } = context.sql.claimFirst.run(
    head.fencingToken,
    head.leaseEndAtMs ?? null,
    head.timeoutAtMs ?? null,
    flagsOf(head),
    head.worker,
    head.leaseSecret,
    headPart(address.seq, head),
    eventsChecksum(bytes).sum,
    bytes,
    address.seq,
    address.acceptedAtMs,
  );
  return changes === 1;
}

function isPlainSuccess({ expect, events, head }: Transition): boolean {
  if (!('fencingToken' in expect) || head.version !== expect.version + 1 || flagsOf(head) !== 0) return false;
  return events.length === 1 && events[0]?.kind === 'succeeded';
}

function succeed(context: SqliteContext, address: RowAddress, { head, events, expect }: Transition): boolean {
  if (!('fencingToken' in expect)) return false;
  const bytes = encodeEvents(events);
  const { sum, factor } = eventsChecksum(bytes);
  const { changes } = context.sql.succeed.run(
    head.version,
    head.endedAtMs ?? null,
    headPart(address.seq, head),
    factor,
    sum,
    bytes,
    address.seq,
    address.acceptedAtMs,
    expect.fencingToken,
    expect.version,
  );
  return changes === 1;
}

/**
 * Writes a change by `claimFirst` or `succeed`, the SQL statements for the two most common changes, which set few
 * columns. Returns false if neither wrote the change, so that the general statement must be tried.
 */
function updatePlain(context: SqliteContext, address: RowAddress, change: Transition): boolean {
  if (isPlainClaim(change)) return claimFirst(context, address, change);
  return isPlainSuccess(change) && succeed(context, address, change);
}

/** Writes a task's whole head and its new events. Returns false if the change's condition failed. */
function update(
  context: SqliteContext,
  address: RowAddress,
  change: Transition,
  dispatchable: boolean,
): boolean {
  const { head, expect, events } = change;
  const byRevision = 'revision' in expect;
  const statement = byRevision ? context.sql.updateAtRevision : context.sql.updateAtFencingToken;
  const bytes = events.length === 0 ? noEvents : encodeEvents(events);
  const { sum, factor } = eventsChecksum(bytes);
  const { changes } = statement.run(
    stateNumber(head),
    dispatchable ? 1 : null,
    dueAtMs(head) ?? null,
    head.version,
    head.fencingToken,
    head.attempt,
    head.releases,
    head.losses,
    flagsOf(head),
    head.waitUntilMs ?? null,
    head.deadlineAtMs ?? null,
    head.lifetimeEndAtMs ?? null,
    head.leaseEndAtMs ?? null,
    head.timeoutAtMs ?? null,
    head.worker,
    head.endedAtMs ?? null,
    head.lastError,
    progressText(head.progress),
    head.leaseSecret,
    headPart(address.seq, head),
    factor,
    sum,
    bytes,
    address.seq,
    address.acceptedAtMs,
    byRevision ? expect.revision : expect.fencingToken,
    byRevision ? head.version - events.length : expect.version,
  );
  if (changes === 1) archiveOlder(context, address.seq, change);
  return changes === 1;
}

function conditionHolds(row: TaskStateRow, address: RowAddress, { expect }: Transition): boolean {
  const [acceptedAtMs, state, revision, version, fencingToken] = row;
  if (acceptedAtMs !== address.acceptedAtMs) return false;
  return 'revision' in expect
    ? revision === expect.revision
    : state === running && fencingToken === expect.fencingToken && version === expect.version;
}

/** Applies a change to a task with an ordering key. The task is dispatchable only if it is the first of its lane. */
function applyInLane(context: SqliteContext, address: RowAddress, change: Transition): WriteOutcome {
  const row = taskStateAt(context, address.seq);
  if (row === undefined || !conditionHolds(row, address, change)) return conflict(context, change);
  if (checkTransition(change, row[3]) !== undefined) return explainUnwritten(context, address, change);
  const [, , , , , queue, , , , oldLaneSeq, orderingKey] = row;
  const laneSeq = change.rejoinLane ? rejoinLane(context, address.seq, row) : (oldLaneSeq ?? undefined);
  const dispatchable =
    stateNumber(change.head) === ready &&
    (orderingKey === null || isLowest(context, queue, orderingKey, laneSeq ?? 0));
  if (!update(context, address, change, dispatchable)) return conflict(context, change);
  return finishTransition(context, address.seq, beforeOfRow(context, row), change, dispatchable, laneSeq);
}

function applyTransition(context: SqliteContext, address: RowAddress, change: Transition): WriteOutcome {
  const before = beforeOf(context, address.seq);
  if (before === undefined) return conflict(context, change);
  const dispatchable = stateNumber(change.head) === ready;
  if (!updatePlain(context, address, change) && !update(context, address, change, dispatchable))
    return explainUnwritten(context, address, change);
  return finishTransition(context, address.seq, before, change, dispatchable, undefined);
}

function finishTransition(
  context: SqliteContext,
  seq: number,
  before: TaskBefore,
  change: Transition,
  dispatchable: boolean,
  laneSeq: number | undefined,
): WriteOutcome {
  if (change.result !== undefined) {
    context.sql.insertResult.run(seq, change.result, bytesChecksum(seq, change.result));
    context.stats.rowsWritten++;
  }
  context.stats.rowsWritten++;
  context.stats.appended++;
  const revision = before.revision + 1;
  const state = stateNumber(change.head);
  context.names.recordStateChange(before.queue, before.state, state);
  if (dispatchable) context.readyIndex.setReady(seq, before, revision, context.clock.now());
  else if (state === running) context.readyIndex.setRunning(seq, revision, change.head.leaseEndAtMs);
  else context.readyIndex.remove(seq);
  const head: Head = change.head.revision === revision ? change.head : { ...change.head, revision };
  return { kind: 'done', head, laneSeq };
}

/** Renews a lease. The task is read first, because the checksum covers its whole state. */
function renewOne(
  context: SqliteContext,
  { seq, acceptedAtMs }: RowAddress,
  change: LeaseRenewal,
): WriteOutcome {
  const error = checkProgress(change.progress);
  if (error !== undefined) return { kind: 'failed', error };
  const before = snapshotOfId(context, change.id);
  const { fencingToken } = change.expect;
  if (before?.head.state !== 'running' || before.head.fencingToken !== fencingToken)
    return conflict(context, change);
  const head: Head = {
    ...before.head,
    revision: before.head.revision + 1,
    leaseEndAtMs: change.leaseEndAtMs,
    begun: change.begun || before.head.begun,
    progress: change.progress ?? before.head.progress,
  };
  const { changes } = context.sql.renew.run(
    change.leaseEndAtMs,
    flagsOf(head),
    progressText(head.progress),
    headPart(seq, head),
    seq,
    acceptedAtMs,
    fencingToken,
  );
  if (changes !== 1) throw new RangeError(`task ${seq} was read, but its row is gone`);
  context.stats.rowsWritten++;
  context.stats.renewed++;
  context.readyIndex.setRunning(seq, head.revision, change.leaseEndAtMs);
  return { kind: 'done', head, laneSeq: before.laneSeq };
}

/**
 * Applies one change of a task within a transaction. If the change's own condition fails, the outcome is a conflict,
 * which undoes no other change of the transaction.
 */
export function appendOne(context: SqliteContext, change: Change): WriteOutcome {
  const address = addressOf(change.id);
  if (address === undefined) return conflict(context, change);
  if (change.kind === 'renewal') return renewOne(context, address, change);
  const error = checkTransition(change, change.head.version - change.events.length);
  if (error !== undefined) return { kind: 'failed', error };
  if (!countsItsEvents(change)) return explainUnwritten(context, address, change);
  return change.head.inLane
    ? applyInLane(context, address, change)
    : applyTransition(context, address, change);
}
