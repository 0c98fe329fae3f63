import { limits } from '../../core/limits.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import { checkBatch } from '../../core/submission/check.ts';
import type { Scope } from '../../core/submission/submission.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import type {
  Acceptance,
  AcceptOutcome,
  Change,
  DueEntry,
  DuePage,
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
} from '../../ports/task-store.ts';
import { readyByType } from './broker/ready-by-type.ts';
import type { SqliteContext } from './context.ts';
import type { GroupCommitter } from './group-commit.ts';
import { leaveLane, lowestOf } from './lanes.ts';
import type { Lists } from './lists.ts';
import { Purge } from './purge.ts';
import { eventsAfter } from './rows/archived-events.ts';
import { addressOf, idOf } from './rows/ids.ts';
import { resultOf } from './rows/results.ts';
import { snapshotOfId, snapshotOfKey } from './snapshots.ts';

/** The task store of the SQLite engine. Reads see the last commit; a write waits for the commit of its commit batch. */
export class SqliteTaskStore implements TaskStore {
  readonly can = { transactionalDispatch: true, claimOnAccept: true, sharedWriters: false };
  readonly limits = limits;
  readonly dueShards = 1;
  readonly #context: SqliteContext;
  readonly #committer: GroupCommitter;
  readonly #lists: Lists;
  readonly #purge: Purge;

  constructor(context: SqliteContext, committer: GroupCommitter, lists: Lists) {
    this.#context = context;
    this.#committer = committer;
    this.#lists = lists;
    this.#purge = new Purge(context, committer);
  }

  async accept(batch: readonly Acceptance[]): Promise<readonly AcceptOutcome[]> {
    checkBatch(batch);
    return this.#committer.accept(batch);
  }

  async append(batch: readonly Change[]): Promise<readonly WriteOutcome[]> {
    checkBatch(batch);
    return this.#committer.append(batch);
  }

  async read(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]> {
    checkBatch(ids);
    return this.#read(() => ids.map((id) => unexpired(snapshotOfId(this.#context, id), nowMs)));
  }

  async byKey({ tenant, queue, key }: Scope, nowMs: number): Promise<Snapshot | undefined> {
    const name = this.#context.names.findQueue(tenant, queue);
    if (name === undefined) return undefined;
    return this.#read(() => unexpired(snapshotOfKey(this.#context, name, key), nowMs));
  }

  async history(id: TaskId, fromVersion: number): Promise<readonly TaskEvent[]> {
    const [snapshot] = await this.read([id], this.#context.clock.now());
    const address = addressOf(id);
    if (snapshot === undefined || address === undefined) return [];
    return this.#read(() => eventsAfter(this.#context, address.seq, snapshot, Math.max(0, fromVersion)));
  }

  async result(id: TaskId): Promise<Uint8Array | undefined> {
    const address = addressOf(id);
    if (address === undefined) return undefined;
    return this.#read(() => resultOf(this.#context, id, address, this.#context.clock.now()));
  }

  async list(
    filter: TaskFilter,
    page: { limit: number; cursor: string | undefined; nowMs: number },
  ): Promise<SnapshotPage> {
    return this.#read(() => this.#lists.list(filter, page));
  }

  async due(_shard: number, nowMs: number, limit: number, after?: DueEntry): Promise<DuePage> {
    const afterSeq = (after && addressOf(after.id)?.seq) ?? 0;
    const rows = this.#read(() => this.#context.sql.due.all(nowMs, after?.dueAtMs ?? 0, afterSeq, limit));
    const entries = (rows as unknown as [number, number, number, number][]).map(
      ([seq, acceptedAtMs, dueAtMs, queueId]) => {
        const { tenant, queue } = this.#context.names.queueOf(queueId);
        return { id: idOf(seq, acceptedAtMs), dueAtMs, tenantTag: tenant, queueTag: queue };
      },
    );
    return { entries, next: entries.length < limit ? undefined : entries.at(-1) };
  }

  async lowest(lane: LaneKey): Promise<LanePointer | undefined> {
    const queue = this.#context.names.findQueue(lane.tenant, lane.queue);
    if (queue === undefined) return undefined;
    return this.#read(() => lowestOf(this.#context, queue.id, lane.orderingKey));
  }

  async isFirst(lane: LaneKey, seq: number): Promise<boolean> {
    return (await this.lowest(lane))?.seq === seq;
  }

  async leaveLane(lane: LaneKey, id: TaskId, seq?: number): Promise<void> {
    const address = addressOf(id);
    if (address === undefined) return;
    await this.#committer.write(() => {
      const queue = this.#context.names.findQueue(lane.tenant, lane.queue);
      if (queue !== undefined) leaveLane(this.#context, queue.id, lane.orderingKey, address.seq, seq);
    });
  }

  async counts({ tenant, queue }: QueueRef): Promise<QueueCounts> {
    const name = this.#context.names.findQueue(tenant, queue);
    const { scheduled, ready, running, dead } = name ?? { scheduled: 0, ready: 0, running: 0, dead: 0 };
    return { scheduled, ready, running, dead };
  }

  async readyByType({ tenant, queue }: QueueRef): Promise<readonly ReadyGroup[]> {
    const name = this.#context.names.findQueue(tenant, queue);
    return name === undefined ? [] : this.#read(() => readyByType(this.#context, name));
  }

  async purge(nowMs: number, limit: number): Promise<number> {
    return this.#purge.run(nowMs, limit);
  }

  #read<T>(read: () => T): T {
    return this.#committer.read(read);
  }
}

function unexpired(snapshot: Snapshot | undefined, nowMs: number): Snapshot | undefined {
  return snapshot !== undefined && snapshot.submission.expiresAtMs > nowMs ? snapshot : undefined;
}
