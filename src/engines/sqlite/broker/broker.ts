import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { HandledType } from '../../../core/handled-type.ts';
import { timing } from '../../../core/limits.ts';
import { type Priority, priorities, priorityOrder } from '../../../core/priority.ts';
import { inTurnsByQueue, type QueueRef } from '../../../core/queue-ref.ts';
import { typeRoomOf } from '../../../core/type-room.ts';
import type {
  Broker,
  Delivery,
  DispatchMessage,
  DispatchReason,
  ReceiveRequest,
} from '../../../ports/broker.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import type { SqliteContext } from '../context.ts';
import type { GroupCommitter } from '../group-commit.ts';
import { dispatchOne, taskStateAt } from '../lanes.ts';
import { addressOf } from '../rows/ids.ts';
import type { InternedQueue, InternedTaskType } from '../rows/interned-names.ts';
import type { ReceiveFilter, TakenEntry } from './ready-index.ts';
import type { ReadyEntry } from './ready-list.ts';
import { Waiters } from './waiters.ts';

/** The maximum time in ms between two reads of expired leases from the file while workers receive or wait. */
const expiredLeaseCheckMs = 250;
const expiredLeasesPerRead = 1_000;
/** Of so many expired leases, the oldest ones, those that are used are chosen in turns by queue. */
const expiredLeasesInTurn = 10_000;

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

function acceptsOf(types: readonly HandledType[]): (taskType: InternedTaskType) => boolean {
  const most = new Map<string, number>();
  for (const { type, maxVersion } of types) most.set(type, Math.max(maxVersion, most.get(type) ?? 0));
  return (taskType) => (most.get(taskType.type) ?? -1) >= taskType.version;
}

/**
 * The broker of the SQLite engine. The dispatch message of a ready task is its entry in the file's ready index; a
 * running task is delivered again once the lease in its row has expired. Receipts and visibility timeouts are kept in
 * memory only.
 */
export class SqliteBroker implements Broker {
  readonly #context: SqliteContext;
  readonly #committer: GroupCommitter;
  readonly #waiters: Waiters;
  #receiveCount = 0;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  /**
   * The time in ms at which the next lease of a task expires, among the leases that had not expired when expired leases
   * were last read from the file.
   */
  #nextLeaseExpiredMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(context: SqliteContext, committer: GroupCommitter) {
    this.#context = context;
    this.#committer = committer;
    this.#waiters = new Waiters(context.clock);
  }

  isIdle(request: ReceiveRequest): boolean {
    return this.#waiters.has(request);
  }

  send(messages: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]> {
    return Promise.all(messages.map((message) => this.#send(message)));
  }

  async receive(queues: readonly QueueRef[], request: ReceiveRequest): Promise<readonly Delivery[]> {
    this.#throwIfStopped();
    if (request.signal.aborted) return [];
    const { names, clock } = this.#context;
    const filter: ReceiveFilter = {
      queues: queues.map(({ tenant, queue }) => names.queue(tenant, queue)),
      accepts: acceptsOf(request.types),
    };
    const deliveries = this.#committer.read(() => {
      this.#refreshByTime(clock.now());
      return this.#take(filter, request);
    });
    if (deliveries.length > 0 || request.waitMs <= 0) return deliveries;
    const waiting = this.#waiters.wait(filter, request);
    this.#startTimer();
    return waiting;
  }

  async changeVisibility(
    changes: readonly { readonly receiptHandle: string; readonly ms: number }[],
  ): Promise<readonly boolean[]> {
    const { readyIndex, clock } = this.#context;
    const nowMs = clock.now();
    const hidden = changes.map(({ receiptHandle, ms }) => {
      const { seq, receipt } = receiptOf(receiptHandle);
      const entry = readyIndex.entryOfReceipt(seq, receipt, nowMs);
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
      const entry = readyIndex.entryOfReceipt(seq, receipt, nowMs);
      if (entry !== undefined) readyIndex.delete(entry, nowMs);
      // A task without an entry in the ready index has no dispatch message: the deletion already took effect.
      return entry !== undefined || readyIndex.entry(seq) === undefined;
    });
    this.serve();
    return deleted;
  }

  async expiredLeases(nowMs: number, expiredForMs: number, limit: number): Promise<readonly Delivery[]> {
    return this.#committer.read(() => {
      const rows = this.#expiredLeaseRows(nowMs - expiredForMs, limit + expiredLeasesPerRead);
      return this.#context.readyIndex
        .expiredUnreceived(rows, limit)
        .map((taken) => ({ ...this.#deliveryOf(taken), receiptHandle: '' }));
    });
  }

  /** Ends waiting receive calls with the dispatch messages that have become visible. Called after each commit. */
  serve(): void {
    const changed = this.#context.readyIndex.takeChanged();
    if (changed.size === 0 || this.#waiters.count === 0) return;
    this.#readInBackground(() => {
      for (const [queue, taskTypes] of changed)
        for (const taskType of taskTypes) this.#serveType(queue, taskType);
    });
    this.#startTimer();
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#waiters.endAll();
  }

  /**
   * Serves the waiting receive calls that accept a task type, until no message of it is left. The other calls, which may
   * be thousands, cost one look at their types.
   */
  #serveType(queue: InternedQueue, taskType: InternedTaskType): void {
    for (const waiter of this.#waiters.of(queue)) {
      if (!waiter.filter.accepts(taskType)) continue;
      if (!this.#context.readyIndex.mayDeliver(queue, taskType)) return;
      const deliveries = this.#take(waiter.filter, waiter.request);
      if (deliveries.length > 0) waiter.end(deliveries);
    }
  }

  /**
   * Runs a read of the store's file that no call waits for. If the read fails and stops the store, the error is dropped
   * here, because `onFatal` has reported it and ended all waiting receive calls.
   */
  #readInBackground(read: () => void): void {
    try {
      this.#committer.read(read);
    } catch (thrown) {
      if (this.#committer.stopError === undefined) throw thrown;
    }
  }

  #throwIfStopped(): void {
    if (this.#committer.stopError !== undefined) throw this.#committer.stopError;
  }

  async #send(message: DispatchMessage): Promise<true | HoldfastError> {
    const address = addressOf(message.id);
    if (address === undefined) return true;
    try {
      await this.#committer.write(() => {
        if (taskStateAt(this.#context, address.seq)?.[0] === address.acceptedAtMs)
          dispatchOne(this.#context, address.seq);
      });
      return true;
    } catch (thrown) {
      return asHoldfastError(thrown);
    }
  }

  #take(filter: ReceiveFilter, request: ReceiveRequest): Delivery[] {
    const { readyIndex, clock } = this.#context;
    const order = priorityOrder(this.#receiveCount);
    const room = { ...request.room(), ofType: typeRoomOf(request) };
    const taken = readyIndex.take(filter, room, clock.now(), order);
    if (taken.length > 0) this.#receiveCount++;
    const deliveries = taken.map((one) => this.#deliveryOf(one));
    if (deliveries.length > 0) request.taken?.(deliveries);
    return deliveries;
  }

  #deliveryOf({ entry, snapshot }: TakenEntry): Delivery {
    const { queue, priority, taskType } = entry.list;
    return {
      message: {
        id: snapshot.id,
        queue: { tenant: queue.tenant, queue: queue.queue },
        priority: priorities[priority] as Priority,
        type: taskType.type,
        typeVersion: taskType.version,
        version: snapshot.head.version,
        reason: reasonOf(snapshot),
      },
      receiptHandle: receiptHandleOf(entry),
      receiveCount: entry.receiveCount,
      sentAtMs: entry.sentAtMs,
      snapshot,
    };
  }

  /**
   * Makes the dispatch messages visible whose visibility timeout has ended or whose running task's lease has expired.
   */
  #refreshByTime(nowMs: number): void {
    const { readyIndex, sql } = this.#context;
    readyIndex.showVisible(nowMs);
    // If the clock jumped back, read expired leases now instead of waiting until the clock has caught up.
    const sinceMs = nowMs < this.#refreshedAtMs ? Number.POSITIVE_INFINITY : nowMs - this.#refreshedAtMs;
    if (sinceMs === 0 || (sinceMs < expiredLeaseCheckMs && nowMs < this.#nextLeaseExpiredMs)) return;
    this.#refreshedAtMs = nowMs;
    readyIndex.setExpired(this.#expiredLeaseRows(nowMs, expiredLeasesPerRead));
    const [leaseEndMs] = sql.nextLeaseEnd.get(nowMs - timing.clockGuardMs) as unknown as [number | null];
    this.#nextLeaseExpiredMs = (leaseEndMs ?? Number.MAX_SAFE_INTEGER) + timing.clockGuardMs;
  }

  #expiredLeaseRows(nowMs: number, limit: number) {
    const { sql, names } = this.#context;
    const expiredAtMs = nowMs - timing.clockGuardMs;
    const rows = sql.expiredLeases.all(expiredAtMs, Math.max(limit, expiredLeasesInTurn)) as unknown as [
      number,
      number,
      number,
      number,
    ][];
    const chosen = inTurnsByQueue(rows, ([, queue]) => names.queueOf(queue), limit);
    return chosen.map(([seq, queue, taskType, priority]) => ({
      seq,
      queue: names.queueOf(queue),
      taskType: names.taskTypeOf(taskType),
      priority,
    }));
  }

  /** Starts a timer, while a receive call waits, for the next moment at which a dispatch message may become visible. */
  #startTimer(): void {
    if (this.#cancelTimer !== undefined || this.#waiters.count === 0) return;
    const { readyIndex, clock } = this.#context;
    const nextMs =
      Math.min(readyIndex.nextVisibleMs() ?? Number.POSITIVE_INFINITY, this.#nextLeaseExpiredMs) -
      clock.now();
    this.#cancelTimer = clock.after(Math.max(1, Math.min(expiredLeaseCheckMs, nextMs)), () => {
      this.#cancelTimer = undefined;
      this.#readInBackground(() => this.#refreshByTime(clock.now()));
      if (this.#committer.stopError !== undefined) return;
      this.serve();
      this.#startTimer();
    });
  }
}
