import { limits } from '../../core/limits.ts';
import { badCursor } from '../../core/submission/check.ts';
import { isEnded, listedState } from '../../core/task/head.ts';
import type { LaneKey, SnapshotPage, TaskFilter } from '../../ports/task-store.ts';
import type { Lanes } from './lanes.ts';
import { isExpired, type Row, type Rows, snapshotOf } from './rows.ts';

export interface PageRequest {
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly nowMs: number;
}

/**
 * The position in a list of tasks after which a page begins: the acceptance time and sequence number of a task, or the
 * number of the task's place in its lane.
 */
type ListPosition = readonly number[];
interface ListEntry {
  readonly row: Row;
  readonly position: ListPosition;
}

/**
 * The task states that the other engines index, so that a list of tasks in one of these states examines no task in
 * another state.
 */
const indexedStates: ReadonlySet<TaskFilter['state']> = new Set(['dead', 'cancelled', 'retrying']);

function encodeCursor(kind: 'time' | 'lane', position: ListPosition): string {
  return Buffer.from(`${kind}/${position.join('/')}`).toString('base64url');
}

function decodeCursor(cursor: string, kind: 'time' | 'lane'): ListPosition {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [parsedKind, ...numbers] = text.split('/');
  const position = numbers.map(Number);
  const fits = position.length === (kind === 'time' ? 2 : 1) && position.every(Number.isSafeInteger);
  if (parsedKind !== kind || !fits || encodeCursor(kind, position) !== cursor) throw badCursor();
  return position;
}

function hasState(row: Row, state: TaskFilter['state']): boolean {
  if (state === undefined) return true;
  if (state === 'unfinished') return !isEnded(row.head);
  if (state === 'retrying') return row.head.state === 'waiting' && row.head.retrying;
  return listedState(row.head) === state;
}

function matches(row: Row, filter: TaskFilter, nowMs: number): boolean {
  const { submission } = row;
  return (
    !isExpired(row, nowMs) &&
    hasState(row, filter.state) &&
    (filter.type === undefined || submission.type === filter.type) &&
    (filter.tag === undefined || submission.options.tags.includes(filter.tag)) &&
    submission.acceptedAtMs >= (filter.acceptedFromMs ?? Number.NEGATIVE_INFINITY) &&
    submission.acceptedAtMs < (filter.acceptedUntilMs ?? Number.POSITIVE_INFINITY)
  );
}

/** Yields the tasks of a queue, newest first, from the cursor to the filter's earliest acceptance time. */
function* byTime(
  rows: readonly Row[],
  filter: TaskFilter,
  after: ListPosition | undefined,
): Generator<ListEntry> {
  const [afterMs = Number.POSITIVE_INFINITY, afterOrder = Number.POSITIVE_INFINITY] = after ?? [];
  const fromMs = filter.acceptedFromMs ?? Number.NEGATIVE_INFINITY;
  const untilMs = filter.acceptedUntilMs ?? Number.POSITIVE_INFINITY;
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i] as Row;
    const { acceptedAtMs } = row.submission;
    if (acceptedAtMs < fromMs) return;
    const isPast = acceptedAtMs > afterMs || (acceptedAtMs === afterMs && row.order >= afterOrder);
    if (isPast || acceptedAtMs >= untilMs) continue;
    if (indexedStates.has(filter.state) && !hasState(row, filter.state)) continue;
    yield { row, position: [acceptedAtMs, row.order] };
  }
}

/** Yields the tasks that hold or wait in the lane of an ordering key, in the order in which they run. */
function* byLane(
  rows: Rows,
  lanes: Lanes,
  lane: LaneKey,
  after: ListPosition | undefined,
): Generator<ListEntry> {
  const [afterSeq = 0] = after ?? [];
  for (const [id, seq] of lanes.of(lane)) {
    const row = rows.get(id);
    if (seq <= afterSeq || row === undefined) continue;
    if (!isEnded(row.head) || row.head.holdsLane) yield { row, position: [seq] };
  }
}

function pageOf(
  entries: Iterable<ListEntry>,
  kind: 'time' | 'lane',
  filter: TaskFilter,
  { limit, nowMs }: PageRequest,
): SnapshotPage {
  const items: Row[] = [];
  let examined = 0;
  let last: ListEntry | undefined;
  const page = (cursor: string | undefined): SnapshotPage => {
    const examinedUntilMs = last?.row.submission.acceptedAtMs;
    return { items: items.map(snapshotOf), cursor, examined, examinedUntilMs };
  };
  for (const entry of entries) {
    if (items.length === limit || examined === limits.pageExamined) {
      return page(last === undefined ? undefined : encodeCursor(kind, last.position));
    }
    examined++;
    last = entry;
    if (matches(entry.row, filter, nowMs)) items.push(entry.row);
  }
  return page(undefined);
}

/** Returns one page of a list: the tasks of a queue, newest first, or a lane's unfinished tasks in the lane's order. */
export function listPage(rows: Rows, lanes: Lanes, filter: TaskFilter, page: PageRequest): SnapshotPage {
  const { tenant, queue, orderingKey } = filter;
  const kind = orderingKey === undefined ? 'time' : 'lane';
  const after = page.cursor === undefined ? undefined : decodeCursor(page.cursor, kind);
  const entries =
    orderingKey === undefined
      ? byTime(rows.queue(filter), filter, after)
      : byLane(rows, lanes, { tenant, queue, orderingKey }, after);
  return pageOf(entries, kind, filter, page);
}
