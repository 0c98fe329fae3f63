import type { StatementSync } from 'node:sqlite';
import { limits } from '../../core/limits.ts';
import { badCursor, checkPage } from '../../core/submission/check.ts';
import type { Snapshot, SnapshotPage, TaskFilter } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';
import type { InternedTaskType } from './rows/interned-names.ts';
import { columns, isRetrying, type Row, snapshotOf } from './rows/rows.ts';

/**
 * The position of the last task on a page of a list: the task's row number, and its acceptance time or, in a lane's
 * list, the number of its place in the lane.
 */
interface CursorPosition {
  readonly at: number;
  readonly seq: number;
}

/**
 * The SQLite index and the SQL condition of each list of tasks. Because the query names the index, `prepare` fails if a
 * plan would scan the table.
 */
const sources = {
  all: ['task_list', 'true'],
  scheduled: ['task_state', 't.state = 0'],
  dead: ['task_state', 't.state = 4'],
  cancelled: ['task_state', 't.state = 5'],
  retrying: ['task_retrying', '(t.flags & 16) <> 0'],
} as const;

type Source = keyof typeof sources;

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
function matches(row: Row, taskType: InternedTaskType, filter: TaskFilter, nowMs: number): boolean {
  const [, , , , acceptedAtMs, expiresAtMs, , , orderingKey, state] = row;
  if (expiresAtMs <= nowMs) return false;
  if (filter.type !== undefined && taskType.type !== filter.type) return false;
  if (filter.orderingKey !== undefined && orderingKey !== filter.orderingKey) return false;
  if (filter.acceptedFromMs !== undefined && acceptedAtMs < filter.acceptedFromMs) return false;
  if (filter.acceptedUntilMs !== undefined && acceptedAtMs >= filter.acceptedUntilMs) return false;
  if (filter.state === undefined) return true;
  if (filter.state === 'unfinished') return state <= shownStates.running;
  if (filter.state === 'retrying') return isRetrying(row);
  return state === shownStates[filter.state];
}

interface Scan {
  readonly statement: StatementSync;
  readonly arguments: (string | number)[];
  position(row: Row): CursorPosition;
}

export class Lists {
  readonly #context: SqliteContext;
  readonly #newestFirst: Record<Source, StatementSync>;
  readonly #lane: StatementSync;

  constructor(context: SqliteContext) {
    this.#context = context;
    const prepare = (sql: string): StatementSync => {
      const statement = context.db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    const newestFirst = (source: Source) => {
      const [index, condition] = sources[source];
      return prepare(`SELECT ${columns} FROM task t INDEXED BY ${index} JOIN body b ON b.seq = t.seq
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
    this.#lane =
      prepare(`SELECT ${columns} FROM lane l JOIN task t ON t.seq = l.seq JOIN body b ON b.seq = l.seq
      WHERE l.queue = ? AND l.ordering_key = ? AND l.lane_seq > ? AND t.state <= 2 ORDER BY l.lane_seq LIMIT ?`);
  }

  list(filter: TaskFilter, page: { limit: number; cursor: string | undefined; nowMs: number }): SnapshotPage {
    checkPage(page.limit);
    const order = filter.orderingKey === undefined ? 'T' : 'L';
    const from = page.cursor === undefined ? undefined : decode(order, page.cursor);
    const { names } = this.#context;
    const queue = names.findQueue(filter.tenant, filter.queue);
    if (queue === undefined) return { items: [], cursor: undefined, examined: 0 };
    const scan =
      filter.orderingKey === undefined
        ? this.#byTime(queue.id, filter, from)
        : this.#byLane(queue.id, filter.orderingKey, from);
    const items: Snapshot[] = [];
    let examined = 0;
    let last: CursorPosition | undefined;
    const rows = scan.statement.iterate(...scan.arguments, limits.pageExamined + 1) as Iterable<unknown>;
    for (const row of rows as Iterable<Row>) {
      if (items.length === page.limit || examined === limits.pageExamined) {
        return { items, cursor: last === undefined ? undefined : encode(order, last), examined };
      }
      examined++;
      last = scan.position(row);
      if (!matches(row, names.taskTypeOf(row[2]), filter, page.nowMs)) continue;
      const snapshot = snapshotOf(row, names);
      if (filter.tag === undefined || snapshot.submission.options.tags.includes(filter.tag))
        items.push(snapshot);
    }
    return { items, cursor: undefined, examined };
  }

  #byTime(queue: number, filter: TaskFilter, from: CursorPosition | undefined): Scan {
    const until = filter.acceptedUntilMs === undefined ? Number.MAX_SAFE_INTEGER : filter.acceptedUntilMs - 1;
    const at = Math.min(from?.at ?? Number.MAX_SAFE_INTEGER, until);
    const seq = from !== undefined && from.at === at ? from.seq : Number.MAX_SAFE_INTEGER;
    return {
      statement: this.#newestFirst[sourceOf(filter)],
      arguments: [queue, at, at, seq, filter.acceptedFromMs ?? 0],
      position: (row) => ({ at: row[4], seq: row[0] }),
    };
  }

  #byLane(queue: number, orderingKey: string, from: CursorPosition | undefined): Scan {
    return {
      statement: this.#lane,
      arguments: [queue, orderingKey, from?.at ?? 0],
      position: (row) => ({ at: row[7] ?? 0, seq: row[0] }),
    };
  }
}
