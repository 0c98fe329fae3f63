import { limits } from '../../../core/limits.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';
import { checkBatch } from '../../../core/submission/check.ts';
import type { Scope } from '../../../core/submission/submission.ts';
import type { TaskEvent } from '../../../core/task/event.ts';
import type {
  Acceptance,
  AcceptOutcome,
  Change,
  DueEntry,
  DuePage,
  HeadSummary,
  HistoryVerification,
  LaneKey,
  LanePointer,
  QueueCounts,
  ReadyGroup,
  Snapshot,
  SnapshotPage,
  TaskFilter,
  TaskId,
  TaskStore,
  WriteOutcome,
} from '../../../ports/task-store.ts';
import type { AwsContext } from './context.ts';
import { countsOf } from './read/counts.ts';
import { dueOf } from './read/due.ts';
import { historyOf } from './read/history.ts';
import { isFirst, leaveLane } from './read/lane-order.ts';
import { lowestOf } from './read/lanes.ts';
import { listPage, type PageRequest } from './read/lists.ts';
import { readyByType } from './read/ready-by-type.ts';
import { loadAll, loadNewest, readAllAsSubmitted, readAnchor, readHeads } from './read/snapshots.ts';
import { verify } from './read/verification.ts';
import { addressOf, slotOf } from './schema/ids.ts';
import { acceptAll } from './write/accept.ts';
import { appendAll } from './write/append.ts';
import { resultOf } from './write/results.ts';

function unlessExpired(snapshot: Snapshot | undefined, nowMs: number): Snapshot | undefined {
  return snapshot !== undefined && snapshot.submission.expiresAtMs > nowMs ? snapshot : undefined;
}

/** Task store on one DynamoDB table. */
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
    return this.#during(async (context) => (await context.shards.countsToRead()).due);
  }

  async accept(batch: readonly Acceptance[]): Promise<readonly AcceptOutcome[]> {
    checkBatch(batch);
    return this.#during((context) => acceptAll(context, batch));
  }

  async append(batch: readonly Change[]): Promise<readonly WriteOutcome[]> {
    checkBatch(batch);
    return this.#during((context) => appendAll(context, batch));
  }

  async read(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]> {
    checkBatch(ids);
    return this.#during(async (context) => {
      const loaded = await loadAll(context, ids.map(addressOf));
      // An id that is another spelling of a task's item address is not the task's id and finds nothing.
      return loaded.map((one, i) =>
        one?.snapshot.id === ids[i] ? unlessExpired(one?.snapshot, nowMs) : undefined,
      );
    });
  }

  async readAsSubmitted(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]> {
    checkBatch(ids);
    return this.#during(async (context) =>
      (await readAllAsSubmitted(context, ids)).map((snapshot) => unlessExpired(snapshot, nowMs)),
    );
  }

  async heads(ids: readonly TaskId[], nowMs: number): Promise<readonly (HeadSummary | undefined)[]> {
    checkBatch(ids);
    return this.#during((context) => readHeads(context, ids.map(addressOf), nowMs));
  }

  byKey(scope: Scope, nowMs: number): Promise<Snapshot | undefined> {
    return this.#during(async (context) => {
      const slot = slotOf(scope);
      const anchor = await readAnchor(context, slot);
      return anchor && unlessExpired((await loadNewest(context, slot, anchor))?.snapshot, nowMs);
    });
  }

  history(id: TaskId, fromVersion: number): Promise<readonly TaskEvent[]> {
    return this.#during((context) => historyOf(context, id, fromVersion));
  }

  verify(id: TaskId, nowMs: number): Promise<HistoryVerification | undefined> {
    return this.#during((context) => verify(context, id, nowMs));
  }

  result(id: TaskId): Promise<Uint8Array | undefined> {
    const address = addressOf(id);
    return this.#during(async (context) => address && resultOf(context, address));
  }

  list(filter: TaskFilter, page: PageRequest): Promise<SnapshotPage> {
    return this.#during((context) => listPage(context, filter, page));
  }

  due(shard: number, nowMs: number, limit: number, after?: DueEntry): Promise<DuePage> {
    return this.#during((context) => dueOf(context, shard, nowMs, limit, after));
  }

  lowest(lane: LaneKey): Promise<LanePointer | undefined> {
    return this.#during((context) => lowestOf(context, lane));
  }

  isFirst(lane: LaneKey, seq: number): Promise<boolean> {
    return this.#during((context) => isFirst(context, lane, seq));
  }

  leaveLane(lane: LaneKey, id: TaskId, seq?: number, wasFirst = false): Promise<void> {
    return this.#during((context) => leaveLane(context, lane, id, seq, wasFirst));
  }

  counts(queue: QueueRef, nowMs: number): Promise<QueueCounts> {
    return this.#during((context) => countsOf(context, queue, nowMs));
  }

  readyByType(queue: QueueRef, nowMs: number): Promise<readonly ReadyGroup[]> {
    return this.#during((context) => readyByType(context, queue, nowMs));
  }

  /** Returns 0: the table's TTL deletes expired items. */
  async purge(): Promise<number> {
    return 0;
  }

  #during<T>(work: (context: AwsContext) => Promise<T>): Promise<T> {
    return this.#context.calls.during(() => work(this.#context));
  }
}
