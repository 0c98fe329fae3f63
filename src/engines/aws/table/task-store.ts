import { limits } from '../../../core/limits.ts';
import { checkBatch } from '../../../core/submission/check.ts';
import type { Scope } from '../../../core/submission/submission.ts';
import type { TaskEvent } from '../../../core/task/event.ts';
import type {
  Acceptance,
  Accepted,
  Change,
  DueEntry,
  DuePage,
  Filter,
  LaneKey,
  LanePointer,
  Outcome,
  Page,
  QueueCounts,
  QueueRef,
  Snapshot,
  StandingHead,
  TaskId,
  TaskStore,
  Verified,
} from '../../../ports/task-store.ts';
import type { AwsContext } from './context.ts';
import { countsOf } from './read/counts.ts';
import { dueOf } from './read/due.ts';
import { historyOf } from './read/history.ts';
import { leaveLane, lowestOf } from './read/lanes.ts';
import { listPage, type PageRequest } from './read/lists.ts';
import { anchorOf, loadAll, newest, readAllAsSubmitted, standingHeads } from './read/snapshots.ts';
import { verify } from './read/verification.ts';
import { placeOf, slotOf } from './schema/ids.ts';
import { acceptAll } from './write/accept.ts';
import { appendAll } from './write/append.ts';
import { resultOf } from './write/results.ts';

function alive(snapshot: Snapshot | undefined, nowMs: number): Snapshot | undefined {
  return snapshot !== undefined && snapshot.submission.expiresAtMs > nowMs ? snapshot : undefined;
}

/** Tasks on one DynamoDB table. */
export class AwsTaskStore implements TaskStore {
  readonly can = { transactionalDispatch: false, claimOnAccept: false, sharedWriters: true };
  readonly limits = limits;
  readonly #context: AwsContext;

  constructor(context: AwsContext) {
    this.#context = context;
  }

  get dueShards(): number {
    return this.#context.shards.known.due;
  }

  countDueShards(): Promise<number> {
    return this.#during(async (context) => (await context.shards.toRead()).due);
  }

  async accept(batch: readonly Acceptance[]): Promise<readonly Accepted[]> {
    checkBatch(batch);
    return this.#during((context) => acceptAll(context, batch));
  }

  async append(batch: readonly Change[]): Promise<readonly Outcome[]> {
    checkBatch(batch);
    return this.#during((context) => appendAll(context, batch));
  }

  async read(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]> {
    checkBatch(ids);
    return this.#during(async (context) => {
      const loaded = await loadAll(context, ids.map(placeOf));
      // An id names one place; another spelling of it names none.
      return loaded.map((one, i) => (one?.snapshot.id === ids[i] ? alive(one?.snapshot, nowMs) : undefined));
    });
  }

  async readAsSubmitted(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]> {
    checkBatch(ids);
    return this.#during(async (context) =>
      (await readAllAsSubmitted(context, ids)).map((snapshot) => alive(snapshot, nowMs)),
    );
  }

  async heads(ids: readonly TaskId[], nowMs: number): Promise<readonly (StandingHead | undefined)[]> {
    checkBatch(ids);
    return this.#during((context) => standingHeads(context, ids.map(placeOf), nowMs));
  }

  byKey(scope: Scope, nowMs: number): Promise<Snapshot | undefined> {
    return this.#during(async (context) => {
      const slot = slotOf(scope);
      const anchor = await anchorOf(context, slot);
      return anchor && alive((await newest(context, slot, anchor))?.snapshot, nowMs);
    });
  }

  history(id: TaskId, fromVersion: number): Promise<readonly TaskEvent[]> {
    return this.#during((context) => historyOf(context, id, fromVersion));
  }

  verify(id: TaskId, nowMs: number): Promise<Verified | undefined> {
    return this.#during((context) => verify(context, id, nowMs));
  }

  result(id: TaskId): Promise<Uint8Array | undefined> {
    const place = placeOf(id);
    return this.#during(async (context) => place && resultOf(context, place));
  }

  list(filter: Filter, page: PageRequest): Promise<Page> {
    return this.#during((context) => listPage(context, filter, page));
  }

  due(shard: number, nowMs: number, limit: number, after?: DueEntry): Promise<DuePage> {
    return this.#during((context) => dueOf(context, shard, nowMs, limit, after));
  }

  lowest(lane: LaneKey): Promise<LanePointer | undefined> {
    return this.#during((context) => lowestOf(context, lane));
  }

  leave(lane: LaneKey, id: TaskId, seq?: number): Promise<void> {
    return this.#during((context) => leaveLane(context, lane, id, seq));
  }

  counts(queue: QueueRef, nowMs: number): Promise<QueueCounts> {
    return this.#during((context) => countsOf(context, queue, nowMs));
  }

  /** The table's TTL frees what has expired. */
  async purge(): Promise<number> {
    return 0;
  }

  #during<T>(work: (context: AwsContext) => Promise<T>): Promise<T> {
    return this.#context.calls.during(() => work(this.#context));
  }
}
