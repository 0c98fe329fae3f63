import type { StatementSync } from 'node:sqlite';
import { limits } from '../../core/limits.ts';
import { badCursor, checkPage } from '../../core/submission/check.ts';
import type { Snapshot, SnapshotPage, TaskFilter } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import type { InternedNames, InternedQueue } from './rows/interned-names.ts';
import { checkRow, columns, isRetrying, type Row, running, snapshotOf } from './rows/rows.ts';

/**
 * The position of the last task on a page of a list: the task's row number, and its acceptance time or, in a lane's
 * list, the number of its place in the lane.
 */
interface CursorPosition {
  readonly at: number;
  readonly seq: number;
}

/**
 * The SQLite index and the SQL condition of each list of tasks that is read in the order of the list. Because the query
 * names the index, `prepare` fails if a plan would scan the table.
 */
const sources = {
  all: ['task_list', 'true'],
  scheduled: ['task_state', 't.state = 0'],
  dead: ['task_state', 't.state = 4'],
  cancelled: ['task_state', 't.state = 5'],
  retrying: ['task_retrying', '(t.flags & 16) <> 0'],
} as const;

/**
 * The SQL queries of the tasks in one state whose index has another order than a list: all of them are read and sorted.
 * A ready task that is not the first of its lane is not dispatchable, and is found by its place in the lane.
 */
const sortedSources = {
  running: `SELECT seq, accepted_at FROM task INDEXED BY task_lease
    WHERE lease_end IS NOT NULL AND queue = :queue AND state = 2`,
  ready: `SELECT seq, accepted_at FROM task INDEXED BY task_ready WHERE queue = :queue AND dispatchable = 1
    UNION ALL SELECT t.seq, t.accepted_at FROM lane l CROSS JOIN task t ON t.seq = l.seq AND t.lane_seq = l.lane_seq
    WHERE l.queue = :queue AND t.state = 1 AND t.dispatchable IS NULL`,
} as const;

/**
 * The number of index entries that one page may read and sort. With more of them the page reads all tasks of the queue
 * in the order of the list instead.
 */
const mostSortedDefault = 10_000;

type Source = keyof typeof sources;
type SortedSource = keyof typeof sortedSources;

const shownStates = { scheduled: 0, ready: 1, running: 2, succeeded: 3, dead: 4, cancelled: 5 } as const;

type Order = 'T' | 'L';

function encode(order: Order, { at, seq }: CursorPosition): string {
  return `${order}${at.toString(36)}-${seq.toString(36)}`;
}

function decode(order: Order, cursor: string): CursorPosition {
  const [at, seq] = cursor
    .slice(1)
    .split('-')
    .map((part) => Number.parseInt(part, 36));
  if (at === undefined || seq === undefined) throw badCursor();
  if (!Number.isSafeInteger(at) || !Number.isSafeInteger(seq)) throw badCursor();
  if (encode(order, { at, seq }) !== cursor) throw badCursor();
  return { at, seq };
}

function sourceOf({ state }: TaskFilter): Source {
  return state !== undefined && state in sources ? (state as Source) : 'all';
}

/** Returns whether a task's row matches the parts of a list's filter that the SQLite index does not cover. */
function matches(row: Row, names: InternedNames, filter: TaskFilter, nowMs: number): boolean {
  const [, queue, taskType, , acceptedAtMs, expiresAtMs, , , orderingKey, state] = row;
  if (expiresAtMs <= nowMs || !names.has(queue, taskType)) return false;
  if (filter.type !== undefined && names.taskTypeOf(taskType).type !== filter.type) return false;
  if (filter.orderingKey !== undefined && orderingKey !== filter.orderingKey) return false;
  if (filter.acceptedFromMs !== undefined && acceptedAtMs < filter.acceptedFromMs) return false;
  if (filter.acceptedUntilMs !== undefined && acceptedAtMs >= filter.acceptedUntilMs) return false;
  if (filter.state === undefined) return true;
  if (filter.state === 'unfinished') return state <= shownStates.running;
  if (filter.state === 'retrying') return isRetrying(row);
  return state === shownStates[filter.state];
}

/** The rows of a list from a position on, in the order of the list, and how to make a position from a row. */
interface Scan {
  readonly rows: Iterable<Row>;
  position(row: Row): CursorPosition;
}

/** One row more than a page examines shows whether there is another page. */
const rowsOfPage = limits.pageExamined + 1;

/** The named values of an SQL query: the position behind which the list goes on, its earliest time, its number of rows. */
interface AcceptanceRange extends Record<string, number> {
  readonly at: number;
  readonly seq: number;
  readonly from: number;
  readonly limit: number;
}

export class Lists {
  readonly #context: SqliteContext;
  readonly #newestFirst: Record<Source, StatementSync>;
  readonly #sorted: Record<SortedSource, StatementSync>;
  readonly #countPlaces: StatementSync;
  readonly #lane: StatementSync;
  readonly #mostSorted: number;

  constructor(context: SqliteContext, mostSorted = mostSortedDefault) {
    this.#context = context;
    this.#mostSorted = mostSorted;
    const prepare = (sql: string): StatementSync => {
      const statement = context.db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    const newestFirst = (source: Source) => {
      const [index, condition] = sources[source];
      return prepare(`SELECT ${columns} FROM task t INDEXED BY ${index} LEFT JOIN body b ON b.seq = t.seq
        WHERE t.queue = ? AND ${condition}
        AND t.accepted_at <= ? AND (t.accepted_at < ? OR t.seq < ?) AND t.accepted_at >= ?
        ORDER BY t.accepted_at DESC, t.seq DESC LIMIT ?`);
    };
    this.#newestFirst = {
      all: newestFirst('all'),
      scheduled: newestFirst('scheduled'),
      dead: newestFirst('dead'),
      cancelled: newestFirst('cancelled'),
      retrying: newestFirst('retrying'),
    };
    const sorted = (source: SortedSource) =>
      prepare(`SELECT seq FROM (${sortedSources[source]})
        WHERE accepted_at <= :at AND (accepted_at < :at OR seq < :seq) AND accepted_at >= :from
        ORDER BY accepted_at DESC, seq DESC LIMIT :limit`);
    this.#sorted = { running: sorted('running'), ready: sorted('ready') };
    this.#countPlaces = prepare('SELECT count(*) FROM (SELECT 1 FROM lane WHERE queue = ? LIMIT ?)');
    this.#lane =
      prepare(`SELECT ${columns} FROM lane l JOIN task t ON t.seq = l.seq LEFT JOIN body b ON b.seq = l.seq
      WHERE l.queue = ? AND l.ordering_key = ? AND l.lane_seq > ? ORDER BY l.lane_seq`);
  }

  list(filter: TaskFilter, page: { limit: number; cursor: string | undefined; nowMs: number }): SnapshotPage {
    checkPage(page.limit);
    const order = filter.orderingKey === undefined ? 'T' : 'L';
    const from = page.cursor === undefined ? undefined : decode(order, page.cursor);
    const { names } = this.#context;
    const queue = names.findQueue(filter.tenant, filter.queue);
    if (queue === undefined) return { items: [], cursor: undefined, examined: 0, examinedUntilMs: undefined };
    const scan =
      filter.orderingKey === undefined
        ? this.#byTime(queue, filter, from)
        : this.#byLane(queue.id, filter.orderingKey, from);
    const items: Snapshot[] = [];
    let examined = 0;
    let last: Row | undefined;
    let cursor: string | undefined;
    for (const row of scan.rows) {
      if (last !== undefined && (items.length === page.limit || examined === limits.pageExamined)) {
        cursor = encode(order, scan.position(last));
        break;
      }
      examined++;
      last = row;
      if (!matches(row, names, filter, page.nowMs)) {
        // A row that is left out because of a changed byte would be missing without a word.
        checkRow(row, names);
        continue;
      }
      const snapshot = snapshotOf(row, names);
      if (filter.tag === undefined || snapshot.submission.options.tags.includes(filter.tag))
        items.push(snapshot);
    }
    return { items, cursor, examined, examinedUntilMs: last?.[4] };
  }

  #byTime(queue: InternedQueue, filter: TaskFilter, from: CursorPosition | undefined): Scan {
    const until = filter.acceptedUntilMs === undefined ? Number.MAX_SAFE_INTEGER : filter.acceptedUntilMs - 1;
    const at = Math.min(from?.at ?? Number.MAX_SAFE_INTEGER, until);
    const seq = from !== undefined && from.at === at ? from.seq : Number.MAX_SAFE_INTEGER;
    const range: AcceptanceRange = { at, seq, from: filter.acceptedFromMs ?? 0, limit: rowsOfPage };
    return {
      rows: this.#rowsByTime(queue, filter, range),
      position: (row) => ({ at: row[4], seq: row[0] }),
    };
  }

  #rowsByTime(queue: InternedQueue, filter: TaskFilter, range: AcceptanceRange): Iterable<Row> {
    const { state } = filter;
    if ((state === 'running' || state === 'ready') && this.#isSortable(state, queue)) {
      return this.#sortedRows(this.#sorted[state], queue, range);
    }
    const { at, seq, from, limit } = range;
    const statement = this.#newestFirst[sourceOf(filter)];
    return statement.iterate(queue.id, at, at, seq, from, limit) as Iterable<unknown> as Iterable<Row>;
  }

  /** Returns whether the index entries that a list of the queue's tasks in this state must sort are few. */
  #isSortable(state: SortedSource, queue: InternedQueue): boolean {
    const most = this.#mostSorted;
    if (state === 'running') return this.#context.names.countRunning() <= most;
    if (queue.ready > most) return false;
    const [places] = this.#countPlaces.get(queue.id, most + 1) as unknown as [number];
    return places <= most;
  }

  /** Sorts only the numbers of the rows, since a row with its payload is large, and then reads each row by its number. */
  *#sortedRows(statement: StatementSync, queue: InternedQueue, range: AcceptanceRange): Generator<Row> {
    const found = statement.all({ queue: queue.id, ...range }) as unknown as [seq: number][];
    for (const [seq] of found) {
      const row = this.#context.sql.snapshot.get(seq) as unknown as Row | undefined;
      if (row !== undefined) yield row;
    }
  }

  #byLane(queue: number, orderingKey: string, from: CursorPosition | undefined): Scan {
    return {
      rows: this.#unfinished(this.#lane.iterate(queue, orderingKey, from?.at ?? 0) as Iterable<unknown>),
      position: (row) => ({ at: row[7] ?? 0, seq: row[0] }),
    };
  }

  /** Leaves out the ended tasks of a lane: one that is dead may hold it. */
  *#unfinished(rows: Iterable<unknown>): Generator<Row> {
    for (const row of rows as Iterable<Row>) {
      if (row[9] <= running) yield row;
      else checkRow(row, this.#context.names);
    }
  }
}
