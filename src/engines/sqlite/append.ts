import { encodeEvents } from '../../core/codec/event.ts';
import { checkProgress, checkTransition } from '../../core/submission/check.ts';
import { dueAtMs, type Head } from '../../core/task/head.ts';
import type { Change, Outcome, Renewal, Transition } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { isLowest, type PlaceRow, placeAt, rejoinLane } from './lanes.ts';
import { tellLostClaim } from './lost-race.ts';
import { moveOut } from './rows/archived-events.ts';
import { type Place, placeOf } from './rows/ids.ts';
import type { Kind, QueueName } from './rows/interned-names.ts';
import { flagsOf, progressText, ready, running, stateNumber } from './rows/rows.ts';
import { snapshotBy } from './snapshots.ts';

const noEvents = new Uint8Array(0);

/** The task before the change, as memory has it, else the file. */
interface Before {
  readonly queue: QueueName;
  readonly kind: Kind;
  readonly priority: number;
  readonly state: number;
  readonly revision: number;
}

function beforeOf(context: SqliteContext, seq: number): Before | undefined {
  const entry = context.readyIndex.entry(seq);
  if (entry !== undefined && entry.revision > 0) {
    const { queue, kind, priority } = entry.list;
    return { queue, kind, priority, state: entry.state, revision: entry.revision };
  }
  const row = placeAt(context, seq);
  return row === undefined ? undefined : beforeOfRow(context, row);
}

function beforeOfRow(context: SqliteContext, row: PlaceRow): Before {
  const [, state, revision, , , queue, kind, priority] = row;
  return { queue: context.names.queueOf(queue), kind: context.names.kindOf(kind), priority, state, revision };
}

function refused(context: SqliteContext, change: Change): Outcome {
  context.stats.refused++;
  const current = snapshotBy(context, change.id);
  if (current !== undefined) tellLostClaim(context, change, current);
  return { kind: 'refused', current };
}

/** Its condition failed, or it held and the change itself is at fault. */
function unwritten(context: SqliteContext, place: Place, change: Transition): Outcome {
  const row = placeAt(context, place.seq);
  const error = row !== undefined && holds(row, place, change) ? checkTransition(change, row[3]) : undefined;
  return error === undefined ? refused(context, change) : { kind: 'failed', error };
}

function countsItsEvents({ expect, head, events }: Transition): boolean {
  return 'revision' in expect || head.version === expect.version + events.length;
}

/** A first claim of a task without a deadline or a lifetime of its own: its due entry and its flags stay empty. */
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

function claimFirst(context: SqliteContext, place: Place, { head, events }: Transition): boolean {
  const { changes } = context.sql.claimFirst.run(
    head.fencingToken,
    head.leaseEndAtMs ?? null,
    head.timeoutAtMs ?? null,
    head.worker,
    encodeEvents(events),
    place.seq,
    place.acceptedAtMs,
  );
  return changes === 1;
}

function isPlainSuccess({ expect, events, head }: Transition): boolean {
  if (!('fencingToken' in expect) || head.version !== expect.version + 1 || flagsOf(head) !== 0) return false;
  return events.length === 1 && events[0]?.kind === 'succeeded';
}

function succeed(context: SqliteContext, place: Place, { head, events, expect }: Transition): boolean {
  if (!('fencingToken' in expect)) return false;
  const { changes } = context.sql.succeed.run(
    head.version,
    head.endedAtMs ?? null,
    encodeEvents(events),
    place.seq,
    place.acceptedAtMs,
    expect.fencingToken,
    expect.version,
  );
  return changes === 1;
}

/** The happy path has two statements that set few columns; what they do not match, the general one decides. */
function updatePlain(context: SqliteContext, place: Place, change: Transition): boolean {
  if (isPlainClaim(change)) return claimFirst(context, place, change);
  return isPlainSuccess(change) && succeed(context, place, change);
}

/** True: the condition held and the row is written. */
function update(context: SqliteContext, place: Place, change: Transition, dispatchable: boolean): boolean {
  const { head, expect, events } = change;
  const byRevision = 'revision' in expect;
  const statement = byRevision ? context.sql.updateAtRevision : context.sql.updateAtFencingToken;
  const { changes } = statement.run(
    stateNumber(head),
    dispatchable ? 1 : null,
    dueAtMs(head) ?? null,
    head.version,
    head.fencingToken,
    head.attempt,
    head.releases,
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
    events.length === 0 ? noEvents : encodeEvents(events),
    place.seq,
    place.acceptedAtMs,
    byRevision ? expect.revision : expect.fencingToken,
    byRevision ? head.version - events.length : expect.version,
  );
  if (changes === 1) moveOut(context, place.seq, change);
  return changes === 1;
}

function holds(row: PlaceRow, place: Place, { expect }: Transition): boolean {
  const [acceptedAtMs, state, revision, version, fencingToken] = row;
  if (acceptedAtMs !== place.acceptedAtMs) return false;
  return 'revision' in expect
    ? revision === expect.revision
    : state === running && fencingToken === expect.fencingToken && version === expect.version;
}

/** A lane's task: where it stands in its lane decides whether it is rung. */
function transitInLane(context: SqliteContext, place: Place, change: Transition): Outcome {
  const row = placeAt(context, place.seq);
  if (row === undefined || !holds(row, place, change)) return refused(context, change);
  if (checkTransition(change, row[3]) !== undefined) return unwritten(context, place, change);
  const [, , , , , queue, , , , oldLaneSeq, ordering] = row;
  const laneSeq = change.rejoinLane ? rejoinLane(context, place.seq, row) : (oldLaneSeq ?? undefined);
  const dispatchable =
    stateNumber(change.head) === ready &&
    (ordering === null || isLowest(context, queue, ordering, laneSeq ?? 0));
  if (!update(context, place, change, dispatchable)) return refused(context, change);
  return concluded(context, place.seq, beforeOfRow(context, row), change, dispatchable, laneSeq);
}

function transit(context: SqliteContext, place: Place, change: Transition): Outcome {
  const before = beforeOf(context, place.seq);
  if (before === undefined) return refused(context, change);
  const dispatchable = stateNumber(change.head) === ready;
  if (!updatePlain(context, place, change) && !update(context, place, change, dispatchable))
    return unwritten(context, place, change);
  return concluded(context, place.seq, before, change, dispatchable, undefined);
}

function concluded(
  context: SqliteContext,
  seq: number,
  before: Before,
  change: Transition,
  dispatchable: boolean,
  laneSeq: number | undefined,
): Outcome {
  if (change.result !== undefined) {
    context.sql.insertResult.run(seq, change.result);
    context.stats.rowsWritten++;
  }
  context.stats.rowsWritten++;
  context.stats.appended++;
  const revision = before.revision + 1;
  const state = stateNumber(change.head);
  context.names.moved(before.queue, before.state, state);
  if (dispatchable) context.readyIndex.ready(seq, before, revision, context.clock.now());
  else if (state === running) context.readyIndex.running(seq, revision, change.head.leaseEndAtMs);
  else context.readyIndex.gone(seq);
  const head: Head = change.head.revision === revision ? change.head : { ...change.head, revision };
  return { kind: 'done', head, laneSeq };
}

function renewOne(context: SqliteContext, place: Place, change: Renewal): Outcome {
  const error = checkProgress(change.progress);
  if (error !== undefined) return { kind: 'failed', error };
  const { seq, acceptedAtMs } = place;
  const progress = progressText(change.progress);
  const { changes } = context.sql.renew.run(
    change.leaseEndAtMs,
    progress,
    seq,
    acceptedAtMs,
    change.expect.fencingToken,
  );
  if (changes !== 1) return refused(context, change);
  context.stats.rowsWritten++;
  context.stats.renewed++;
  const snapshot = snapshotBy(context, change.id);
  if (snapshot === undefined) throw new RangeError(`task ${seq} was renewed but is not there`);
  context.readyIndex.running(seq, snapshot.head.revision, change.leaseEndAtMs);
  return { kind: 'done', head: snapshot.head, laneSeq: snapshot.laneSeq };
}

/** Within a transaction: one change under its own condition, so that a conflict undoes only itself. */
export function appendOne(context: SqliteContext, change: Change): Outcome {
  const place = placeOf(change.id);
  if (place === undefined) return refused(context, change);
  if (change.kind === 'renewal') return renewOne(context, place, change);
  const error = checkTransition(change, change.head.version - change.events.length);
  if (error !== undefined) return { kind: 'failed', error };
  if (!countsItsEvents(change)) return unwritten(context, place, change);
  return change.head.inLane ? transitInLane(context, place, change) : transit(context, place, change);
}
