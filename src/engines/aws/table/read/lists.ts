import { limits } from '../../../../core/limits.ts';
import { checkPage } from '../../../../core/submission/check.ts';
import { isEnded, listedState } from '../../../../core/task/head.ts';
import type { Snapshot, SnapshotPage, TaskFilter } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { headIfReadable, isExpired, ownHead } from '../items/rows.ts';
import { addressOf, type ItemAddress } from '../schema/ids.ts';
import { headKey, type Item, timeOfListSort } from '../schema/keys.ts';
import { decodeCursor, encodeCursor } from './cursors.ts';
import { type IndexEntry, IndexScan } from './index-scan.ts';
import { pointers } from './lanes.ts';
import { loadReadable } from './snapshots.ts';

export interface PageRequest {
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly nowMs: number;
}

/** Number of tasks that a list examines together, with one batch of reads. */
const batchSize = 100;

function hasState(snapshot: Snapshot, state: TaskFilter['state']): boolean {
  if (state === undefined) return true;
  if (state === 'unfinished') return !isEnded(snapshot.head);
  if (state === 'retrying') return snapshot.head.state === 'waiting' && snapshot.head.retrying;
  return listedState(snapshot.head) === state;
}

function matches(snapshot: Snapshot, filter: TaskFilter, nowMs: number): boolean {
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

/**
 * Checks an index entry against as much of the list filter as the entry allows. A task whose entry fails this check
 * costs no read.
 */
function mayMatch(entry: IndexEntry, filter: TaskFilter, nowMs: number): boolean {
  if (isExpired(entry.item, nowMs)) return false;
  if (filter.type !== undefined && entry.type !== undefined && entry.type !== filter.type) return false;
  return filter.tag === undefined || entry.tags === undefined || entry.tags.includes(filter.tag);
}

function headFits(item: Item | undefined, state: TaskFilter['state']): boolean {
  // A task without a head item is ready.
  if (item === undefined) return state === 'unfinished' || state === 'ready';
  const head = headIfReadable(item);
  // A task with a damaged head passes this check; `loadReadable` then logs the task and leaves it out of the list.
  if (head === undefined) return true;
  if (state === 'unfinished') return !isEnded(head);
  return state === 'retrying' ? head.state === 'waiting' && head.retrying : listedState(head) === state;
}

/**
 * Reads the heads of tasks before their submissions and keeps only the tasks in the requested state: of the many tasks
 * examined few match, and a submission may be large. For `unfinished` the heads are read from any replica, at half the
 * price: an ended task stays ended unless it is redriven, and a redriven task has a due entry.
 */
async function byHead(
  context: AwsContext,
  addresses: readonly (ItemAddress | undefined)[],
  state: TaskFilter['state'],
): Promise<(ItemAddress | undefined)[]> {
  if (state === undefined) return [...addresses];
  const known = addresses.filter((address) => address !== undefined);
  const found = await context.calls.get('list', known.map(headKey), state !== 'unfinished');
  return addresses.map((address) =>
    address !== undefined && headFits(ownHead(address, found.get(headKey(address))), state)
      ? address
      : undefined,
  );
}

/**
 * Loads the tasks of some index entries. The result has for each entry the task, or undefined if the task does not
 * match the list filter.
 */
async function loadMatching(
  context: AwsContext,
  entries: readonly IndexEntry[],
  filter: TaskFilter,
  nowMs: number,
): Promise<(Snapshot | undefined)[]> {
  const addresses = entries.map((entry) =>
    mayMatch(entry, filter, nowMs) ? addressOf(entry.id) : undefined,
  );
  const loaded = await loadReadable(context, await byHead(context, addresses, filter.state));
  return loaded.map((one) => (one && matches(one.snapshot, filter, nowMs) ? one.snapshot : undefined));
}

/** Lists tasks, newest first. A page with a filter examines a bounded number of index entries. */
async function byTime(context: AwsContext, filter: TaskFilter, page: PageRequest): Promise<SnapshotPage> {
  const after = page.cursor === undefined ? undefined : decodeCursor('T', page.cursor);
  const filtered = filter.state !== undefined || filter.type !== undefined || filter.tag !== undefined;
  const scan = await IndexScan.open(context, filter, after, filtered ? 2 * batchSize : page.limit + 1);
  const items: Snapshot[] = [];
  let examined = 0;
  let examinedUntilMs: number | undefined;
  for (;;) {
    const room = filtered ? batchSize : page.limit - items.length;
    const seen = await scan.next(Math.min(room, limits.pageExamined - examined));
    const found = await loadMatching(context, seen, filter, page.nowMs);
    for (const [i, entry] of seen.entries()) {
      examined++;
      examinedUntilMs = timeOfListSort(entry.sort);
      const snapshot = found[i];
      if (snapshot !== undefined) items.push(snapshot);
      const more = items.length === page.limit || examined === limits.pageExamined;
      if (!more) continue;
      const last = i === seen.length - 1 && (await scan.next(1)).length === 0;
      const cursor = last ? undefined : encodeCursor('T', entry.sort);
      return { items, cursor, examined, examinedUntilMs };
    }
    if (seen.length === 0) return { items, cursor: undefined, examined, examinedUntilMs };
  }
}

/**
 * Lists the tasks of a lane in their order: the unfinished tasks, and the dead tasks that still block the tasks behind
 * them.
 */
async function byLane(
  context: AwsContext,
  filter: TaskFilter & { orderingKey: string },
  page: PageRequest,
): Promise<SnapshotPage> {
  const { tenant, queue, orderingKey } = filter;
  let after = page.cursor === undefined ? 0 : Number(decodeCursor('L', page.cursor));
  const items: Snapshot[] = [];
  let examinedUntilMs: number | undefined;
  for (let examined = 0; ; ) {
    const limit = Math.min(batchSize, limits.pageExamined - examined, page.limit + 1);
    const found = await pointers(context, { tenant, queue, orderingKey }, after, limit);
    const loaded = await loadReadable(
      context,
      found.pointers.map((pointer) => addressOf(pointer.id)),
    );
    for (const [i, pointer] of found.pointers.entries()) {
      examined++;
      after = pointer.seq;
      const snapshot = loaded[i]?.snapshot;
      examinedUntilMs = snapshot?.submission.acceptedAtMs ?? addressOf(pointer.id)?.mark ?? examinedUntilMs;
      // After a redrive the task has a new place in the lane; a pointer at its earlier place does not count.
      if (snapshot?.laneSeq === pointer.seq && (!isEnded(snapshot.head) || snapshot.head.holdsLane)) {
        if (matches(snapshot, filter, page.nowMs)) items.push(snapshot);
      }
      if (items.length < page.limit && examined < limits.pageExamined) continue;
      const last = i === found.pointers.length - 1 && !found.more;
      const cursor = last ? undefined : encodeCursor('L', String(after));
      return { items, cursor, examined, examinedUntilMs };
    }
    if (!found.more) return { items, cursor: undefined, examined, examinedUntilMs };
  }
}

export async function listPage(
  context: AwsContext,
  filter: TaskFilter,
  page: PageRequest,
): Promise<SnapshotPage> {
  checkPage(page.limit);
  const { orderingKey } = filter;
  return orderingKey === undefined
    ? byTime(context, filter, page)
    : byLane(context, { ...filter, orderingKey }, page);
}
