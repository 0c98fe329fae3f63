import type { LanePointer } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import { idOf } from './rows/ids.ts';
import { ready } from './rows/rows.ts';

/** The columns of a task's row that the SQL statement `taskState` selects. */
export type TaskStateRow = [
  acceptedAt: number,
  state: number,
  revision: number,
  version: number,
  fencingToken: number,
  queue: number,
  taskType: number,
  priority: number,
  dispatchable: number | null,
  laneSeq: number | null,
  orderingKey: string | null,
];

export function taskStateAt(context: SqliteContext, seq: number): TaskStateRow | undefined {
  return context.sql.taskState.get(seq) as unknown as TaskStateRow | undefined;
}

function firstPointer(
  context: SqliteContext,
  queue: number,
  orderingKey: string,
): [laneSeq: number, seq: number] | undefined {
  return context.sql.firstPointer.get(queue, orderingKey) as unknown as [number, number] | undefined;
}

export function lowestOf(
  context: SqliteContext,
  queue: number,
  orderingKey: string,
): LanePointer | undefined {
  const pointer = firstPointer(context, queue, orderingKey);
  if (pointer === undefined) return undefined;
  const [laneSeq, seq] = pointer;
  const row = taskStateAt(context, seq);
  return row === undefined ? undefined : { id: idOf(seq, row[0]), seq: laneSeq };
}

export function isEmpty(context: SqliteContext, queue: number, orderingKey: string): boolean {
  return firstPointer(context, queue, orderingKey) === undefined;
}

export function isLowest(
  context: SqliteContext,
  queue: number,
  orderingKey: string,
  laneSeq: number,
): boolean {
  return firstPointer(context, queue, orderingKey)?.[0] === laneSeq;
}

/**
 * Makes the first task of a lane (the tasks of one ordering key) dispatchable if that task is ready. Runs within a
 * transaction. Idempotent.
 */
export function dispatchLowest(context: SqliteContext, queue: number, orderingKey: string): void {
  const pointer = firstPointer(context, queue, orderingKey);
  if (pointer !== undefined) dispatchOne(context, pointer[1]);
}

/** Makes a task dispatchable if it is ready and the first of its lane, within a transaction. */
export function dispatchOne(context: SqliteContext, seq: number): void {
  const row = taskStateAt(context, seq);
  if (row === undefined || row[1] !== ready) return;
  const [, , revision, , , queue, taskType, priority, dispatchable, laneSeq, orderingKey] = row;
  if (orderingKey !== null && !isLowest(context, queue, orderingKey, laneSeq ?? 0)) return;
  if (dispatchable !== 1) {
    context.sql.setDispatchable.run(seq);
    context.stats.rowsWritten++;
  }
  const key = { queue: context.names.queueOf(queue), priority, taskType: context.names.taskTypeOf(taskType) };
  context.readyIndex.send(seq, key, revision, context.clock.now());
}

/**
 * Deletes a task's pointer (its place) from its lane and makes the next task of the lane dispatchable, within one
 * transaction.
 */
export function leaveLane(
  context: SqliteContext,
  queue: number,
  orderingKey: string,
  seq: number,
  laneSeq: number | undefined,
): void {
  const pointer = laneSeq ?? taskStateAt(context, seq)?.[9] ?? undefined;
  if (pointer === undefined) return;
  context.stats.rowsWritten += Number(
    context.sql.deletePointer.run(queue, orderingKey, pointer, seq).changes,
  );
  dispatchLowest(context, queue, orderingKey);
}

/**
 * Gives a redriven task a new pointer (a place) at the tail of its lane, within a transaction. Returns the pointer's
 * number.
 */
export function rejoinLane(context: SqliteContext, seq: number, row: TaskStateRow): number {
  const [, , , , , queue, , , , oldLaneSeq, orderingKey] = row;
  if (orderingKey === null) throw new RangeError(`task ${seq} has no lane to join`);
  const laneSeq = ++context.lastSeq;
  // The table `counter` keeps the number of the lane pointer: no task's row has the number as its `seq`, and after a
  // restart the number must not be given again.
  context.sql.saveSeq.run('seq', laneSeq);
  context.sql.deletePointer.run(queue, orderingKey, oldLaneSeq, seq);
  context.sql.insertPointer.run(queue, orderingKey, laneSeq, seq);
  context.sql.setLaneSeq.run(laneSeq, seq);
  context.stats.rowsWritten += 4;
  return laneSeq;
}
