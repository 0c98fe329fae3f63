import { limits } from '../../core/limits.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import {
  checkBatch,
  checkPage,
  checkProgress,
  checkSubmission,
  checkTransition,
} from '../../core/submission/check.ts';
import { isKeyFree } from '../../core/submission/key.ts';
import { fold } from '../../core/task/evolve.ts';
import { isReady, listedState } from '../../core/task/head.ts';
import { readySinceMs } from '../../core/task/ready-since.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  Acceptance,
  AcceptOutcome,
  Change,
  LeaseRenewal,
  QueueCounts,
  ReadyGroup,
  Snapshot,
  TaskId,
  TaskStore,
  Transition,
  WriteOutcome,
} from '../../ports/task-store.ts';
import type { Faults } from './faults.ts';
import { type IdRequest, sequenceId, slotId } from './ids.ts';
import { listPage } from './lists.ts';
import type { Operate } from './operate.ts';
import { isExpired, laneOf, type Row, snapshotOf } from './rows.ts';
import type { Tables } from './tables.ts';

export interface StoreParts {
  readonly tables: Tables;
  readonly clock: Clock;
  readonly faults: Faults;
  /** True if the broker is external: a message queue beside the store. */
  readonly isExternal: boolean;
  readonly dueShards: number;
}

function acceptOne(parts: StoreParts, { submission, head, claimed }: Acceptance): AcceptOutcome {
  const { tables } = parts;
  const error = checkSubmission(submission);
  if (error !== undefined) return { kind: 'failed', error };
  const existing = tables.rows.newest(submission.scope);
  if (existing !== undefined && !isKeyFree(existing, submission.acceptedAtMs)) {
    return { kind: 'existing', snapshot: snapshotOf(existing) };
  }
  const order = tables.nextOrder();
  const isTaken = (id: TaskId): boolean => tables.rows.get(id) !== undefined;
  const request: IdRequest = { submission, order, hasEarlierTask: existing !== undefined, isTaken };
  const id = parts.isExternal ? slotId(request) : sequenceId(request);
  const lane = laneOf(submission);
  const laneSeq = lane === undefined ? undefined : tables.lanes.join(lane, id);
  hideNew(parts, laneSeq);
  const initial =
    claimed === undefined ? { head, tip: [] } : { head: { ...head, revision: 2 }, tip: [claimed] };
  const row: Row = { id, order, submission, laneSeq, ...initial, result: undefined };
  tables.rows.add(row);
  tables.changed(row);
  return { kind: 'fresh', snapshot: snapshotOf(row) };
}

function conditionHolds(row: Row, change: Change): boolean {
  const { state, revision, fencingToken, version } = row.head;
  if (change.kind === 'renewal') return state === 'running' && fencingToken === change.expect.fencingToken;
  const { expect } = change;
  if ('revision' in expect) return revision === expect.revision;
  return state === 'running' && fencingToken === expect.fencingToken && version === expect.version;
}

function applyRenewal(row: Row, renewal: LeaseRenewal): void {
  const { head } = row;
  const { leaseEndAtMs, progress = head.progress } = renewal;
  const begun = head.begun || renewal.begun;
  row.head = { ...head, leaseEndAtMs, begun, progress, revision: head.revision + 1 };
}

function applyTransition(parts: StoreParts, row: Row, change: Transition): void {
  row.head = { ...change.head, revision: row.head.revision + 1 };
  if (change.events.length > 0) row.tip = [...row.tip, ...change.events];
  if (change.result !== undefined) row.result = change.result;
  if (!change.rejoinLane) return;
  parts.tables.rejoin(row);
  hideNew(parts, row.laneSeq);
}

function appendOne(parts: StoreParts, change: Change): WriteOutcome {
  const row = parts.tables.rows.get(change.id);
  if (row === undefined) return { kind: 'conflict', current: undefined };
  const holds = conditionHolds(row, change);
  if (!(parts.faults.condition?.(change, holds) ?? holds))
    return { kind: 'conflict', current: snapshotOf(row) };
  const error =
    change.kind === 'renewal' ? checkProgress(change.progress) : checkTransition(change, row.head.version);
  if (error !== undefined && (holds || error.reason !== 'BUG')) return { kind: 'failed', error };
  if (change.kind === 'renewal') applyRenewal(row, change);
  else applyTransition(parts, row, change);
  parts.tables.changed(row);
  return { kind: 'done', head: row.head, laneSeq: row.laneSeq };
}

/** Hides a new place from `lowest` for the time that an injected fault returns. */
function hideNew({ tables, clock, faults }: StoreParts, place: number | undefined): void {
  const ms = place === undefined ? 0 : (faults.hiddenPlaceMs?.(place) ?? 0);
  if (place !== undefined && ms > 0) tables.lanes.hide(place, clock.now() + ms);
}

function countsOf(rows: readonly Row[], nowMs: number): QueueCounts {
  const counts = { scheduled: 0, ready: 0, running: 0, dead: 0 };
  for (const row of rows) {
    const state = listedState(row.head);
    if (state !== 'succeeded' && state !== 'cancelled' && !isExpired(row, nowMs)) counts[state]++;
  }
  return counts;
}

function readyByType(tables: Tables, rows: readonly Row[], nowMs: number): readonly ReadyGroup[] {
  const groups = new Map<string, ReadyGroup>();
  for (const row of rows) {
    if (!isReady(row.head) || isExpired(row, nowMs) || !tables.isLowest(row)) continue;
    const { type, typeVersion } = row.submission;
    const key = `${type}/${typeVersion}`;
    const { tasks, readySinceMs: others } = groups.get(key) ?? { tasks: 0, readySinceMs: undefined };
    const sinceMs = Math.min(others ?? Number.POSITIVE_INFINITY, readySinceMs(row));
    groups.set(key, { type, typeVersion, tasks: tasks + 1, readySinceMs: sinceMs });
  }
  return [...groups.values()];
}

/**
 * Returns a task in the state of its submission if it was ready for a worker at that time, else in its current state.
 */
function asSubmitted(row: Row | undefined): Snapshot | undefined {
  if (row === undefined) return undefined;
  const head = fold([row.submission.submitted]);
  return isReady(head) ? { ...snapshotOf(row), head, tip: [] } : snapshotOf(row);
}

/**
 * Returns the task store for one connected process. All processes share the same tables. An injected fault, or closing
 * the engine of one process, affects only the calls of that process.
 */
export function taskStore(parts: StoreParts, operate: Operate): TaskStore {
  const { tables, clock, isExternal, dueShards } = parts;
  const { rows, lanes } = tables;
  const unexpired = (id: TaskId, nowMs: number): Row | undefined => {
    const row = rows.get(id);
    return row === undefined || isExpired(row, nowMs) ? undefined : row;
  };
  const snapshotIfAny = (row: Row | undefined) => (row === undefined ? undefined : snapshotOf(row));
  const readAsSubmitted: TaskStore['readAsSubmitted'] = async (ids, nowMs) => {
    checkBatch(ids);
    return operate('store.readAsSubmitted', ids.length, () =>
      ids.map((id) => asSubmitted(unexpired(id, nowMs))),
    );
  };

  return {
    can: {
      transactionalDispatch: !isExternal,
      claimOnAccept: !isExternal,
      sharedWriters: isExternal,
    },
    limits,
    dueShards,
    accept: async (batch) => {
      checkBatch(batch);
      return operate('store.accept', batch.length, () => batch.map((one) => acceptOne(parts, one)));
    },
    append: async (batch) => {
      checkBatch(batch);
      return operate('store.append', batch.length, () => batch.map((one) => appendOne(parts, one)));
    },
    read: async (ids, nowMs) => {
      checkBatch(ids);
      return operate('store.read', ids.length, () => ids.map((id) => snapshotIfAny(unexpired(id, nowMs))));
    },
    ...(isExternal ? { readAsSubmitted } : {}),
    byKey: (scope, nowMs) =>
      operate('store.byKey', 1, () => {
        const row = rows.newest(scope);
        return row === undefined || isExpired(row, nowMs) ? undefined : snapshotOf(row);
      }),
    history: (id, fromVersion) =>
      operate('store.history', 1, () => {
        const row = unexpired(id, clock.now());
        return row === undefined
          ? []
          : [row.submission.submitted, ...row.tip].slice(Math.max(0, fromVersion));
      }),
    result: (id) => operate('store.result', 1, () => unexpired(id, clock.now())?.result),
    list: async (filter, page) => {
      checkPage(page.limit);
      return operate('store.list', 1, () => listPage(rows, lanes, filter, page));
    },
    due: (shard, nowMs, limit, after) =>
      operate('store.due', 1, () => tables.due.at(shard, nowMs, limit, after)),
    lowest: (lane) => operate('store.lowest', 1, () => lanes.shown(lane, clock.now())),
    isFirst: (lane, seq) => operate('store.isFirst', 1, () => lanes.lowest(lane)?.seq === seq),
    leaveLane: (lane, id, seq) => operate('store.leave', 1, () => tables.leave(lane, id, seq)),
    counts: (queue: QueueRef, nowMs) => operate('store.counts', 1, () => countsOf(rows.queue(queue), nowMs)),
    readyByType: (queue, nowMs) =>
      operate('store.readyByType', 1, () => readyByType(tables, rows.queue(queue), nowMs)),
    purge: (nowMs, limit) => operate('store.purge', 1, () => tables.purge(nowMs, limit)),
  };
}
