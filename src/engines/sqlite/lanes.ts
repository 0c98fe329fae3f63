import type { LanePointer } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { idOf } from './rows/ids.ts';
import { ready } from './rows/rows.ts';

/** Columns of `statements.place`. */
export type PlaceRow = [
  acceptedAt: number,
  state: number,
  revision: number,
  version: number,
  token: number,
  queue: number,
  kind: number,
  priority: number,
  bell: number | null,
  laneSeq: number | null,
  ordering: string | null,
];

export function placeAt(context: SqliteContext, seq: number): PlaceRow | undefined {
  return context.sql.place.get(seq) as unknown as PlaceRow | undefined;
}

function first(
  context: SqliteContext,
  queue: number,
  ordering: string,
): [laneSeq: number, seq: number] | undefined {
  return context.sql.pointers.get(queue, ordering) as unknown as [number, number] | undefined;
}

export function lowestOf(context: SqliteContext, queue: number, ordering: string): LanePointer | undefined {
  const pointer = first(context, queue, ordering);
  if (pointer === undefined) return undefined;
  const [laneSeq, seq] = pointer;
  const place = placeAt(context, seq);
  return place === undefined ? undefined : { id: idOf(seq, place[0]), seq: laneSeq };
}

export function isEmpty(context: SqliteContext, queue: number, ordering: string): boolean {
  return first(context, queue, ordering) === undefined;
}

export function isLowest(context: SqliteContext, queue: number, ordering: string, laneSeq: number): boolean {
  return first(context, queue, ordering)?.[0] === laneSeq;
}

/** Within a transaction: rings whatever is lowest in a lane, if it is ready. Idempotent. */
export function dispatchLowest(context: SqliteContext, queue: number, ordering: string): void {
  const pointer = first(context, queue, ordering);
  if (pointer !== undefined) dispatchOne(context, pointer[1]);
}

/** Within a transaction: the task's bell, where it is ready and the lowest of its lane. */
export function dispatchOne(context: SqliteContext, seq: number): void {
  const place = placeAt(context, seq);
  if (place === undefined || place[1] !== ready) return;
  const [, , revision, , , queue, kind, priority, dispatchable, laneSeq, ordering] = place;
  if (ordering !== null && !isLowest(context, queue, ordering, laneSeq ?? 0)) return;
  if (dispatchable !== 1) {
    context.sql.setDispatchable.run(seq);
    context.stats.rowsWritten++;
  }
  const at = { queue: context.names.queueOf(queue), priority, kind: context.names.kindOf(kind) };
  context.readyIndex.send(seq, at, revision, context.clock.now());
}

/** Within a transaction: the task's pointer goes, and the next one is rung in the same commit. */
export function leaveLane(
  context: SqliteContext,
  queue: number,
  ordering: string,
  seq: number,
  laneSeq: number | undefined,
): void {
  const pointer = laneSeq ?? placeAt(context, seq)?.[9] ?? undefined;
  if (pointer === undefined) return;
  context.stats.rowsWritten += Number(context.sql.deletePointer.run(queue, ordering, pointer, seq).changes);
  dispatchLowest(context, queue, ordering);
}

/** Within a transaction: a new place at the tail, for a task that a released lane no longer waits for. */
export function rejoinLane(context: SqliteContext, seq: number, place: PlaceRow): number {
  const [, , , , , queue, , , , oldLaneSeq, ordering] = place;
  if (ordering === null) throw new RangeError(`task ${seq} has no lane to join`);
  const laneSeq = ++context.lastSeq;
  // This number is in no task's row: it has to be remembered by itself.
  context.sql.keepSeq.run('seq', laneSeq);
  context.sql.deletePointer.run(queue, ordering, oldLaneSeq, seq);
  context.sql.insertPointer.run(queue, ordering, laneSeq, seq);
  context.sql.setLaneSeq.run(laneSeq, seq);
  context.stats.rowsWritten += 4;
  return laneSeq;
}
