import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type {
  Broker,
  Delivery,
  DispatchMessage,
  DispatchReason,
  HandledType,
  Want,
} from '../../../ports/broker.ts';
import type { QueueRef, Snapshot } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';
import type { GroupCommitter } from '../group-commit.ts';
import { dispatchOne, placeAt } from '../lanes.ts';
import { placeOf } from '../rows/ids.ts';
import type { Kind } from '../rows/interned-names.ts';
import type { Asked, Given } from './ready-index.ts';
import type { ReadyEntry } from './ready-list.ts';
import { Waiters } from './waiters.ts';

/** Spent leases are looked for at least this often while somebody asks. */
const expiredLeaseCheckMs = 250;
const expiredLeaseRows = 1_000;
const fromLowestEvery = 16;

function receiptHandleOf(entry: ReadyEntry): string {
  return `${entry.seq.toString(36)}.${entry.receipt.toString(36)}`;
}

function receiptOf(receiptHandle: string): { seq: number; receipt: number } {
  const dot = receiptHandle.indexOf('.');
  return {
    seq: Number.parseInt(receiptHandle.slice(0, dot), 36),
    receipt: Number.parseInt(receiptHandle.slice(dot + 1), 36),
  };
}

function reasonOf(snapshot: Snapshot): DispatchReason {
  return snapshot.head.version === 1 ? 'submit' : 'again';
}

function wantedBy(types: readonly HandledType[]): (kind: Kind) => boolean {
  const most = new Map<string, number>();
  for (const { type, maxVersion } of types) most.set(type, Math.max(maxVersion, most.get(type) ?? 0));
  return (kind) => (most.get(kind.type) ?? -1) >= kind.version;
}

/** The bells are the file's ready index and its running tasks' lease ends; who holds one is known in memory only. */
export class SqliteBroker implements Broker {
  readonly #context: SqliteContext;
  readonly #committer: GroupCommitter;
  readonly #waiters: Waiters;
  #receiveCount = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** When the next lease is spent, of those that ran at the last look. */
  #nextLeaseExpiredMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(context: SqliteContext, committer: GroupCommitter) {
    this.#context = context;
    this.#committer = committer;
    this.#waiters = new Waiters(context.clock);
  }

  isIdle(want: Want): boolean {
    return this.#waiters.has(want);
  }

  send(messages: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]> {
    return Promise.all(messages.map((message) => this.#send(message)));
  }

  async receive(queues: readonly QueueRef[], want: Want): Promise<readonly Delivery[]> {
    this.#check();
    if (want.signal.aborted) return [];
    const { names, clock } = this.#context;
    const asked: Asked = {
      queues: queues.map(({ tenant, queue }) => names.queue(tenant, queue)),
      wanted: wantedBy(want.types),
    };
    const deliveries = this.#committer.reading(() => {
      this.#look(clock.now());
      return this.#answer(asked, want);
    });
    if (deliveries.length > 0 || want.waitMs <= 0) return deliveries;
    const waiting = this.#waiters.wait(asked, want);
    this.#arm();
    return waiting;
  }

  async changeVisibility(
    changes: readonly { readonly receiptHandle: string; readonly ms: number }[],
  ): Promise<readonly boolean[]> {
    const { readyIndex, clock } = this.#context;
    const nowMs = clock.now();
    const hidden = changes.map(({ receiptHandle, ms }) => {
      const { seq, receipt } = receiptOf(receiptHandle);
      const entry = readyIndex.holder(seq, receipt, nowMs);
      if (entry !== undefined) readyIndex.hide(entry, ms, nowMs);
      return entry !== undefined;
    });
    this.serve();
    return hidden;
  }

  async delete(receiptHandles: readonly string[]): Promise<readonly boolean[]> {
    const { readyIndex, clock } = this.#context;
    const nowMs = clock.now();
    const deleted = receiptHandles.map((receiptHandle) => {
      const { seq, receipt } = receiptOf(receiptHandle);
      const entry = readyIndex.holder(seq, receipt, nowMs);
      if (entry !== undefined) readyIndex.delete(entry, nowMs);
      // There is no bell where nobody knows of one.
      return entry !== undefined || readyIndex.entry(seq) === undefined;
    });
    this.serve();
    return deleted;
  }

  async expiredLeases(nowMs: number, expiredForMs: number, limit: number): Promise<readonly Delivery[]> {
    return this.#committer.reading(() => {
      const rows = this.#expiredLeaseRows(nowMs - expiredForMs, limit + expiredLeaseRows);
      return this.#context.readyIndex
        .unheld(rows, limit)
        .map((given) => ({ ...this.#bell(given), receiptHandle: '' }));
    });
  }

  /** Gives what became audible to those who wait for it; called after each commit. */
  serve(): void {
    const { changedQueues } = this.#context.readyIndex;
    if (changedQueues.size === 0) return;
    const queues = [...changedQueues];
    changedQueues.clear();
    if (this.#waiters.count === 0) return;
    this.#unasked(() => {
      for (const queue of queues) {
        for (const waiter of [...this.#waiters.of(queue)]) {
          const deliveries = this.#answer(waiter.asked, waiter.want);
          if (deliveries.length > 0) waiter.end(deliveries);
        }
      }
    });
    this.#arm();
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#waiters.endAll();
  }

  /** Reads that no caller waits for. A store that they end has told of it, and ended whoever waited. */
  #unasked(read: () => void): void {
    try {
      this.#committer.reading(read);
    } catch (thrown) {
      if (this.#committer.dead === undefined) throw thrown;
    }
  }

  #check(): void {
    if (this.#committer.dead !== undefined) throw this.#committer.dead;
  }

  async #send(message: DispatchMessage): Promise<true | HoldfastError> {
    const place = placeOf(message.id);
    if (place === undefined) return true;
    try {
      await this.#committer.write(() => {
        if (placeAt(this.#context, place.seq)?.[0] === place.acceptedAtMs)
          dispatchOne(this.#context, place.seq);
      });
      return true;
    } catch (thrown) {
      return asHoldfastError(thrown);
    }
  }

  #answer(asked: Asked, want: Want): Delivery[] {
    const { readyIndex, clock } = this.#context;
    const fromLowest = this.#receiveCount % fromLowestEvery === fromLowestEvery - 1;
    const given = readyIndex.take(asked, want.room(), clock.now(), fromLowest);
    if (given.length > 0) this.#receiveCount++;
    return given.map((one) => this.#bell(one));
  }

  #bell({ entry, snapshot }: Given): Delivery {
    const { queue, priority, kind } = entry.list;
    return {
      message: {
        id: snapshot.id,
        queue: { tenant: queue.tenant, queue: queue.queue },
        priority: priorities[priority] as Priority,
        type: kind.type,
        typeVersion: kind.version,
        version: snapshot.head.version,
        reason: reasonOf(snapshot),
      },
      receiptHandle: receiptHandleOf(entry),
      receiveCount: entry.receiveCount,
      sentAtMs: entry.sentAtMs,
      snapshot: snapshot,
    };
  }

  /** What time alone makes audible: bells that were hidden until now, and spent leases. */
  #look(nowMs: number): void {
    const { readyIndex, sql } = this.#context;
    readyIndex.wake(nowMs);
    // A clock that jumped back must not silence the look until it has caught up.
    const sinceMs = nowMs < this.#lookedAtMs ? Number.POSITIVE_INFINITY : nowMs - this.#lookedAtMs;
    if (sinceMs === 0 || (sinceMs < expiredLeaseCheckMs && nowMs < this.#nextLeaseExpiredMs)) return;
    this.#lookedAtMs = nowMs;
    readyIndex.spent(this.#expiredLeaseRows(nowMs, expiredLeaseRows));
    const [leaseEndMs] = sql.nextLeaseEnd.get(nowMs - timing.clockGuardMs) as unknown as [number | null];
    this.#nextLeaseExpiredMs = (leaseEndMs ?? Number.MAX_SAFE_INTEGER) + timing.clockGuardMs;
  }

  #expiredLeaseRows(nowMs: number, limit: number) {
    const { sql, names } = this.#context;
    const rows = sql.spent.all(nowMs - timing.clockGuardMs, limit) as unknown as [
      number,
      number,
      number,
      number,
    ][];
    return rows.map(([seq, queue, kind, priority]) => ({
      seq,
      queue: names.queueOf(queue),
      kind: names.kindOf(kind),
      priority,
    }));
  }

  /** While somebody waits, time is watched for them. */
  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#waiters.count === 0) return;
    const { readyIndex, clock } = this.#context;
    const nextMs =
      Math.min(readyIndex.nextWakeMs() ?? Number.POSITIVE_INFINITY, this.#nextLeaseExpiredMs) - clock.now();
    this.#cancelTimer = clock.after(Math.max(1, Math.min(expiredLeaseCheckMs, nextMs)), () => {
      this.#cancelTimer = undefined;
      this.#unasked(() => this.#look(clock.now()));
      if (this.#committer.dead !== undefined) return;
      for (const queue of this.#waiters.queues()) readyIndex.changedQueues.add(queue);
      this.serve();
      this.#arm();
    });
  }
}
