import { limits } from '../../core/limits.ts';
import { badCursor } from '../../core/submission/check.ts';
import { isEnded, shownState } from '../../core/task/head.ts';
import type { Filter, LaneKey, Page } from '../../ports/task-store.ts';
import type { Lanes } from './lanes.ts';
import { isExpired, type Row, type Rows, snapshotOf } from './rows.ts';

export interface PageRequest {
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly nowMs: number;
}

/** After which task a page begins: its time and number, or its place in a lane. */
type Place = readonly number[];
interface Entry {
  readonly row: Row;
  readonly place: Place;
}

/** Few beside all others, and indexed by the other engines: found without looking at the rest. */
const exact: ReadonlySet<Filter['state']> = new Set(['dead', 'cancelled', 'retrying']);

function encodeCursor(kind: 'time' | 'lane', place: Place): string {
  return Buffer.from(`${kind}/${place.join('/')}`).toString('base64url');
}

function decodeCursor(cursor: string, kind: 'time' | 'lane'): Place {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [said, ...numbers] = text.split('/');
  const place = numbers.map(Number);
  const fits = place.length === (kind === 'time' ? 2 : 1) && place.every(Number.isSafeInteger);
  if (said !== kind || !fits || encodeCursor(kind, place) !== cursor) throw badCursor();
  return place;
}

function hasState(row: Row, state: Filter['state']): boolean {
  if (state === undefined) return true;
  if (state === 'unfinished') return !isEnded(row.head);
  if (state === 'retrying') return row.head.state === 'waiting' && row.head.retrying;
  return shownState(row.head) === state;
}

function matches(row: Row, filter: Filter, nowMs: number): boolean {
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

/** Newest first, from the cursor to the older bound. */
function* byTime(rows: readonly Row[], filter: Filter, after: Place | undefined): Generator<Entry> {
  const [afterMs = Number.POSITIVE_INFINITY, afterOrder = Number.POSITIVE_INFINITY] = after ?? [];
  const fromMs = filter.acceptedFromMs ?? Number.NEGATIVE_INFINITY;
  const untilMs = filter.acceptedUntilMs ?? Number.POSITIVE_INFINITY;
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i] as Row;
    const { acceptedAtMs } = row.submission;
    if (acceptedAtMs < fromMs) return;
    const isPast = acceptedAtMs > afterMs || (acceptedAtMs === afterMs && row.order >= afterOrder);
    if (isPast || acceptedAtMs >= untilMs) continue;
    if (exact.has(filter.state) && !hasState(row, filter.state)) continue;
    yield { row, place: [acceptedAtMs, row.order] };
  }
}

/** In the lane's order: those that hold it up or wait in it. */
function* byLane(rows: Rows, lanes: Lanes, lane: LaneKey, after: Place | undefined): Generator<Entry> {
  const [afterSeq = 0] = after ?? [];
  for (const [id, seq] of lanes.of(lane)) {
    const row = rows.get(id);
    if (seq <= afterSeq || row === undefined) continue;
    if (!isEnded(row.head) || row.head.holdsLane) yield { row, place: [seq] };
  }
}

function pageOf(
  entries: Iterable<Entry>,
  kind: 'time' | 'lane',
  filter: Filter,
  { limit, nowMs }: PageRequest,
): Page {
  const items: Row[] = [];
  let examined = 0;
  let last: Place | undefined;
  for (const { row, place } of entries) {
    if (items.length === limit || examined === limits.pageExamined) {
      const cursor = last === undefined ? undefined : encodeCursor(kind, last);
      return { items: items.map(snapshotOf), cursor, examined };
    }
    examined++;
    last = place;
    if (matches(row, filter, nowMs)) items.push(row);
  }
  return { items: items.map(snapshotOf), cursor: undefined, examined };
}

/** One page of a list: newest first, or a lane's unfinished tasks in their order. */
export function listPage(rows: Rows, lanes: Lanes, filter: Filter, page: PageRequest): Page {
  const { tenant, queue, orderingKey } = filter;
  const kind = orderingKey === undefined ? 'time' : 'lane';
  const after = page.cursor === undefined ? undefined : decodeCursor(page.cursor, kind);
  const entries =
    orderingKey === undefined
      ? byTime(rows.queue(filter), filter, after)
      : byLane(rows, lanes, { tenant, queue, orderingKey }, after);
  return pageOf(entries, kind, filter, page);
}
