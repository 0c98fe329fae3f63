import { limits } from '../../../../core/limits.ts';
import { checkPage } from '../../../../core/submission/check.ts';
import { isEnded, shownState } from '../../../../core/task/head.ts';
import type { Filter, Page, Snapshot } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { headIfWhole, isGone, ownHead } from '../items/rows.ts';
import { type Place, placeOf } from '../schema/ids.ts';
import { headKey, type Item } from '../schema/keys.ts';
import { decodeCursor, encodeCursor } from './cursors.ts';
import { Entries, type Entry } from './index-scan.ts';
import { pointers } from './lanes.ts';
import { loadWhole } from './snapshots.ts';

export interface PageRequest {
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly nowMs: number;
}

/** Looked at together: one batch of reads. */
const window = 100;

function hasState(snapshot: Snapshot, state: Filter['state']): boolean {
  if (state === undefined) return true;
  if (state === 'unfinished') return !isEnded(snapshot.head);
  if (state === 'retrying') return snapshot.head.state === 'waiting' && snapshot.head.retrying;
  return shownState(snapshot.head) === state;
}

function matches(snapshot: Snapshot, filter: Filter, nowMs: number): boolean {
  const { submission } = snapshot;
  return (
    submission.expiresAtMs > nowMs &&
    hasState(snapshot, filter.state) &&
    (filter.type === undefined || submission.type === filter.type) &&
    (filter.tag === undefined || submission.options.tags.includes(filter.tag)) &&
    submission.acceptedAtMs >= (filter.acceptedFromMs ?? Number.NEGATIVE_INFINITY) &&
    submission.acceptedAtMs < (filter.acceptedUntilMs ?? Number.POSITIVE_INFINITY)
  );
}

/** What the index alone can tell: an entry that fails here costs no read. */
function mayMatch(entry: Entry, filter: Filter, nowMs: number): boolean {
  if (isGone(entry.item, nowMs)) return false;
  if (filter.type !== undefined && entry.type !== undefined && entry.type !== filter.type) return false;
  return filter.tag === undefined || entry.tags === undefined || entry.tags.includes(filter.tag);
}

function headFits(item: Item | undefined, state: Filter['state']): boolean {
  // Without a head it is ready.
  if (item === undefined) return state === 'unfinished';
  const head = headIfWhole(item);
  // Whoever reads the whole task then tells of it and leaves it out.
  if (head === undefined) return true;
  if (state === 'unfinished') return !isEnded(head);
  return state === 'retrying' ? head.state === 'waiting' && head.retrying : shownState(head) === state;
}

/**
 * Of many that are looked at for a state few have it, and a submission may be large: so the heads are read first,
 * the tasks only where the head fits. What was seen to have ended stays so, but for a redrive, which is due: so whoever
 * looks for the unfinished takes a replica's word for that, at half the price.
 */
async function byHead(
  context: AwsContext,
  places: readonly (Place | undefined)[],
  state: Filter['state'],
): Promise<(Place | undefined)[]> {
  if (state === undefined || state === 'ready') return [...places];
  const known = places.filter((place) => place !== undefined);
  const found = await context.calls.get('list', known.map(headKey), state !== 'unfinished');
  return places.map((place) =>
    place !== undefined && headFits(ownHead(place, found.at(headKey(place))), state) ? place : undefined,
  );
}

/** The tasks of some entries that match, each in the entry's place. */
async function look(
  context: AwsContext,
  entries: readonly Entry[],
  filter: Filter,
  nowMs: number,
): Promise<(Snapshot | undefined)[]> {
  const places = entries.map((entry) => (mayMatch(entry, filter, nowMs) ? placeOf(entry.id) : undefined));
  const loaded = await loadWhole(context, await byHead(context, places, filter.state));
  return loaded.map((one) => (one && matches(one.snapshot, filter, nowMs) ? one.snapshot : undefined));
}

/** Newest first. Exact by key, or a filter over one key range, a bounded part of it a page. */
async function byTime(context: AwsContext, filter: Filter, page: PageRequest): Promise<Page> {
  const after = page.cursor === undefined ? undefined : decodeCursor('T', page.cursor);
  const filtered = filter.state !== undefined || filter.type !== undefined || filter.tag !== undefined;
  const entries = await Entries.from(context, filter, after, filtered ? 2 * window : page.limit + 1);
  const items: Snapshot[] = [];
  let examined = 0;
  for (;;) {
    const room = filtered ? window : page.limit - items.length;
    const seen = await entries.next(Math.min(room, limits.pageExamined - examined));
    const found = await look(context, seen, filter, page.nowMs);
    for (const [i, entry] of seen.entries()) {
      examined++;
      const snapshot = found[i];
      if (snapshot !== undefined) items.push(snapshot);
      const more = items.length === page.limit || examined === limits.pageExamined;
      if (!more) continue;
      const last = i === seen.length - 1 && (await entries.next(1)).length === 0;
      return { items, cursor: last ? undefined : encodeCursor('T', entry.sort), examined };
    }
    if (seen.length === 0) return { items, cursor: undefined, examined };
  }
}

/** A lane's unfinished tasks in their order, and those that hold it up. */
async function byLane(
  context: AwsContext,
  filter: Filter & { orderingKey: string },
  page: PageRequest,
): Promise<Page> {
  const { tenant, queue, orderingKey } = filter;
  let after = page.cursor === undefined ? 0 : Number(decodeCursor('L', page.cursor));
  const items: Snapshot[] = [];
  for (let examined = 0; ; ) {
    const limit = Math.min(window, limits.pageExamined - examined, page.limit + 1);
    const found = await pointers(context, { tenant, queue, orderingKey }, after, limit);
    const loaded = await loadWhole(
      context,
      found.pointers.map((pointer) => placeOf(pointer.id)),
    );
    for (const [i, pointer] of found.pointers.entries()) {
      examined++;
      after = pointer.seq;
      const snapshot = loaded[i]?.snapshot;
      // An earlier place of a task that was redriven since is none.
      if (snapshot?.laneSeq === pointer.seq && (!isEnded(snapshot.head) || snapshot.head.holdsLane)) {
        if (matches(snapshot, filter, page.nowMs)) items.push(snapshot);
      }
      if (items.length < page.limit && examined < limits.pageExamined) continue;
      const last = i === found.pointers.length - 1 && !found.more;
      return { items, cursor: last ? undefined : encodeCursor('L', String(after)), examined };
    }
    if (!found.more) return { items, cursor: undefined, examined };
  }
}

export async function listPage(context: AwsContext, filter: Filter, page: PageRequest): Promise<Page> {
  checkPage(page.limit);
  const { orderingKey } = filter;
  return orderingKey === undefined
    ? byTime(context, filter, page)
    : byLane(context, { ...filter, orderingKey }, page);
}
