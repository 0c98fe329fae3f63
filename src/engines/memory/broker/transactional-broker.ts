import { handlesType } from '../../../core/handled-type.ts';
import { inTurnsByQueue, type QueueRef } from '../../../core/queue-ref.ts';
import { leaseExpiredAtMs } from '../../../core/task/decision.ts';
import { isReady } from '../../../core/task/head.ts';
import { typeRoomOf } from '../../../core/type-room.ts';
import type { Delivery, DispatchMessage, ReceiveRequest } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { TaskId } from '../../../ports/task-store.ts';
import type { Faults } from '../faults.ts';
import { isExpired, type Row, snapshotOf } from '../rows.ts';
import type { Tables } from '../tables.ts';
import type { BrokerKind } from './broker.ts';
import { PriorityQueues, receivedMs } from './priority-queues.ts';

/**
 * The dispatch message of a task. The current state of the task decides whether the message exists; this object adds
 * only the time until which the message is hidden, and the receipt handle.
 */
interface QueuedMessage {
  readonly row: Row;
  readonly sinceMs: number;
  running: boolean;
  visibleAtMs: number;
  receiveCount: number;
  receiptHandle: string;
}

function messageOf(row: Row): DispatchMessage {
  const { scope, options, type, typeVersion } = row.submission;
  const queue = { tenant: scope.tenant, queue: scope.queue };
  const { version } = row.head;
  return { id: row.id, queue, priority: options.priority, type, typeVersion, version, reason: 'submit' };
}

/**
 * A broker whose messages follow the commits of the store, as in the embedded store. A task has a message if and only
 * if it is running (the message is then hidden until the lease expires), or it is ready and, if it has an ordering key,
 * the next task of this key. The commit that changes the task adds or removes the message, so `send` has nothing to do.
 */
export class TransactionalBroker implements BrokerKind {
  readonly queues = new PriorityQueues<QueuedMessage>();
  readonly #messages = new Map<TaskId, QueuedMessage>();
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #faults: Faults;
  #receiptHandles = 0;

  constructor(tables: Tables, clock: Clock, faults: Faults) {
    this.#tables = tables;
    this.#clock = clock;
    this.#faults = faults;
    tables.observe((row) => this.#syncWithHead(row));
  }

  send(): true {
    return true;
  }

  take(queues: readonly QueueRef[], request: ReceiveRequest): Delivery[] {
    const nowMs = this.#clock.now();
    const room = request.room();
    let { bytes } = room;
    const typeRoom = typeRoomOf(request);
    const deliveries = this.queues.take(queues, nowMs, (queued, soFar) => {
      const { submission } = queued.row;
      if (soFar.length >= room.tasks || bytes <= 0) return 'full';
      if (
        !handlesType(request.types, submission.type, submission.typeVersion) ||
        isExpired(queued.row, nowMs)
      )
        return 'skip';
      if (typeRoom?.has(submission.type) === false) return 'skip';
      if (submission.spec.length > bytes && soFar.length > 0) return 'full';
      bytes -= submission.spec.length;
      typeRoom?.use(submission.type);
      return this.#receive(queued, nowMs);
    });
    if (deliveries.length > 0) request.taken?.(deliveries);
    return deliveries;
  }

  changeVisibility(receiptHandle: string, ms: number): boolean {
    const queued = this.#heldBy(receiptHandle);
    if (queued === undefined) return false;
    this.queues.of(messageOf(queued.row)).hide(queued, this.#clock.now() + ms);
    this.queues.wake(messageOf(queued.row).queue);
    return true;
  }

  /**
   * Does not delete the dispatch message of an unfinished task: the message of a ready task is replaced by a new, visible
   * one, and the message of a running task stays as it is.
   */
  delete(receiptHandle: string): boolean {
    const id = receiptHandle.slice(receiptHandle.indexOf('/') + 1);
    if (!this.#messages.has(id)) return true;
    const queued = this.#heldBy(receiptHandle);
    if (queued === undefined) return false;
    if (!queued.running) {
      this.#remove(queued);
      this.#add(queued.row);
    }
    return true;
  }

  hasMessage(id: TaskId): boolean {
    return this.#messages.has(id);
  }

  expiredLeases(nowMs: number, expiredForMs: number, limit: number): Delivery[] {
    const deliveries: Delivery[] = [];
    for (const { row, running, visibleAtMs, receiveCount, sinceMs } of this.#messages.values()) {
      const isLeaseExpired =
        running && visibleAtMs <= nowMs && leaseExpiredAtMs(row.head) + expiredForMs <= nowMs;
      // `expiredLeases` does not receive the dispatch message, so a worker with a free slot may still receive it.
      if (isLeaseExpired)
        deliveries.push({
          message: messageOf(row),
          receiptHandle: '',
          receiveCount,
          sentAtMs: sinceMs,
          snapshot: snapshotOf(row),
        });
    }
    return [...inTurnsByQueue(deliveries, ({ message }) => message.queue, limit)];
  }

  #heldBy(receiptHandle: string): QueuedMessage | undefined {
    const queued = this.#messages.get(receiptHandle.slice(receiptHandle.indexOf('/') + 1));
    if (queued === undefined) return undefined;
    const current = queued.receiptHandle === receiptHandle && queued.visibleAtMs > this.#clock.now();
    return (this.#faults.handle?.(current) ?? current) ? queued : undefined;
  }

  #receive(queued: QueuedMessage, nowMs: number): Delivery {
    const { row } = queued;
    queued.receiptHandle = `${++this.#receiptHandles}/${row.id}`;
    queued.receiveCount++;
    const message = messageOf(row);
    this.queues.of(message).hide(queued, nowMs + receivedMs);
    const { receiptHandle, receiveCount, sinceMs } = queued;
    return { message, receiptHandle, receiveCount, sentAtMs: sinceMs, snapshot: snapshotOf(row) };
  }

  #syncWithHead(row: Row): void {
    const queued = this.#messages.get(row.id);
    const running = row.head.state === 'running';
    const hasMessage =
      this.#tables.rows.get(row.id) === row && (running || (isReady(row.head) && this.#tables.isLowest(row)));
    if (!hasMessage) {
      if (queued !== undefined) this.#remove(queued);
    } else if (queued === undefined) {
      this.#add(row);
    } else if (running) {
      // The receipt handle stays valid for the worker that claimed the task, and the dispatch message stays hidden until
      // the lease expires.
      queued.running = true;
      this.queues.of(messageOf(row)).hide(queued, leaseExpiredAtMs(row.head));
      this.queues.wake(messageOf(row).queue);
    } else if (queued.running) {
      this.#remove(queued);
      this.#add(row);
    }
  }

  #add(row: Row): void {
    const nowMs = this.#clock.now();
    const running = row.head.state === 'running';
    const visibleAtMs = running ? leaseExpiredAtMs(row.head) : nowMs;
    const queued: QueuedMessage = {
      row,
      sinceMs: nowMs,
      running,
      visibleAtMs,
      receiveCount: 0,
      receiptHandle: '',
    };
    this.#messages.set(row.id, queued);
    const message = messageOf(row);
    this.queues.of(message).add(queued, nowMs);
    this.queues.wake(message.queue);
  }

  #remove(queued: QueuedMessage): void {
    this.#messages.delete(queued.row.id);
    this.queues.of(messageOf(queued.row)).remove(queued);
  }
}
