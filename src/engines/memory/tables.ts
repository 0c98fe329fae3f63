import { dueAtMs } from '../../core/task/head.ts';
import type { LaneKey, TaskId } from '../../ports/task-store.ts';
import { DueIndex } from './due.ts';
import { Lanes } from './lanes.ts';
import { laneOf, type Row, Rows } from './rows.ts';

export interface TablesOptions {
  readonly dueShards: number;
  now(): number;
  indexLagMs(): number;
}

function dueTaskOf({ id, submission }: Row) {
  return { id, tenantTag: submission.scope.tenant, queueTag: submission.scope.queue };
}

/** The tables of the memory store: the tasks, the lanes and the due index. Each commit changes them together. */
export class Tables {
  readonly rows = new Rows();
  readonly lanes = new Lanes();
  readonly due: DueIndex;
  readonly #options: TablesOptions;
  readonly #observers: ((row: Row) => void)[] = [];
  #orders = 0;

  constructor(options: TablesOptions) {
    this.#options = options;
    this.due = new DueIndex(options.dueShards);
  }

  nextOrder(): number {
    return ++this.#orders;
  }

  /**
   * Adds an observer. Within each commit, the observer is called for each task whose dispatch message may have to be
   * added or removed.
   */
  observe(observer: (row: Row) => void): void {
    this.#observers.push(observer);
  }

  isLowest(row: Row): boolean {
    const lane = laneOf(row.submission);
    return lane === undefined || this.lanes.lowest(lane)?.id === row.id;
  }

  changed(row: Row): void {
    this.due.set(dueTaskOf(row), dueAtMs(row.head), this.#options.now(), this.#options.indexLagMs());
    this.#notify(row);
  }

  leave(lane: LaneKey, id: TaskId, seq: number | undefined): void {
    this.lanes.leave(lane, id, seq);
    this.#notify(this.rows.get(id));
    this.#notify(this.rows.get(this.lanes.lowest(lane)?.id ?? ''));
  }

  /**
   * Moves the task to the end of its lane (the tasks of one ordering key). The task that is then first in the lane may
   * become ready, so observers are called for that task.
   */
  rejoin(row: Row): void {
    const lane = laneOf(row.submission);
    if (lane === undefined) return;
    row.laneSeq = this.lanes.join(lane, row.id);
    this.#notify(this.rows.get(this.lanes.lowest(lane)?.id ?? ''));
  }

  purge(nowMs: number, limit: number): number {
    const expired = this.rows.takeExpired(nowMs, limit);
    for (const row of expired) {
      this.due.set(dueTaskOf(row), undefined, this.#options.now(), 0);
      const lane = laneOf(row.submission);
      if (lane !== undefined) this.leave(lane, row.id, undefined);
      this.#notify(row);
    }
    return expired.length;
  }

  #notify(row: Row | undefined): void {
    if (row !== undefined) for (const observer of this.#observers) observer(row);
  }
}
