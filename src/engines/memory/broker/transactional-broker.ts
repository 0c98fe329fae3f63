import { leaseExpiredAtMs } from '../../../core/task/decision.ts';
import { isReady } from '../../../core/task/head.ts';
import type { Delivery, DispatchMessage, Want } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { QueueRef, TaskId } from '../../../ports/task-store.ts';
import type { Faults } from '../faults.ts';
import { isExpired, type Row, snapshotOf } from '../rows.ts';
import type { Tables } from '../tables.ts';
import type { BrokerKind } from './broker.ts';
import { isWanted, PriorityQueues, receivedMs } from './priority-queues.ts';

/** The bell of a task: there because of its head, beside it only what its receivers did. */
interface Hung {
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
 * As in the embedded store: a bell exists if and only if its task is running (hidden until the lease is spent), or is
 * ready and the lowest of its lane. It comes and goes in the commit that makes it so; to ring adds nothing.
 */
export class TransactionalBroker implements BrokerKind {
  readonly queues = new PriorityQueues<Hung>();
  readonly #hung = new Map<TaskId, Hung>();
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #faults: Faults;
  #receiptHandles = 0;

  constructor(tables: Tables, clock: Clock, faults: Faults) {
    this.#tables = tables;
    this.#clock = clock;
    this.#faults = faults;
    tables.observe((row) => this.#follow(row));
  }

  send(): true {
    return true;
  }

  take(queues: readonly QueueRef[], want: Want): Delivery[] {
    const nowMs = this.#clock.now();
    const room = want.room();
    let { bytes } = room;
    return this.queues.take(queues, nowMs, (hung, soFar) => {
      const { submission } = hung.row;
      if (soFar.length >= room.tasks || bytes <= 0) return 'full';
      if (!isWanted(want, submission.type, submission.typeVersion) || isExpired(hung.row, nowMs))
        return 'skip';
      if (submission.spec.length > bytes && soFar.length > 0) return 'full';
      bytes -= submission.spec.length;
      return this.#receive(hung, nowMs);
    });
  }

  changeVisibility(receiptHandle: string, ms: number): boolean {
    const hung = this.#heldBy(receiptHandle);
    if (hung === undefined) return false;
    this.queues.line(messageOf(hung.row)).hide(hung, this.#clock.now() + ms);
    this.queues.wake(messageOf(hung.row).queue);
    return true;
  }

  /** A bell whose task may be worked on stays: it can be heard again, as if rung anew. */
  delete(receiptHandle: string): boolean {
    const id = receiptHandle.slice(receiptHandle.indexOf('/') + 1);
    if (!this.#hung.has(id)) return true;
    const hung = this.#heldBy(receiptHandle);
    if (hung === undefined) return false;
    if (!hung.running) {
      this.#drop(hung);
      this.#hang(hung.row);
    }
    return true;
  }

  hasMessage(id: TaskId): boolean {
    return this.#hung.has(id);
  }

  expiredLeases(nowMs: number, expiredForMs: number, limit: number): Delivery[] {
    const deliveries: Delivery[] = [];
    for (const { row, running, visibleAtMs, receiveCount, sinceMs } of this.#hung.values()) {
      if (deliveries.length === limit) break;
      const isLeaseExpired =
        running && visibleAtMs <= nowMs && leaseExpiredAtMs(row.head) + expiredForMs <= nowMs;
      // Looked at, not received: a worker with a free slot may still come for it.
      if (isLeaseExpired)
        deliveries.push({
          message: messageOf(row),
          receiptHandle: '',
          receiveCount,
          sentAtMs: sinceMs,
          snapshot: snapshotOf(row),
        });
    }
    return deliveries;
  }

  #heldBy(receiptHandle: string): Hung | undefined {
    const hung = this.#hung.get(receiptHandle.slice(receiptHandle.indexOf('/') + 1));
    if (hung === undefined) return undefined;
    const current = hung.receiptHandle === receiptHandle && hung.visibleAtMs > this.#clock.now();
    return (this.#faults.handle?.(current) ?? current) ? hung : undefined;
  }

  #receive(hung: Hung, nowMs: number): Delivery {
    const { row } = hung;
    hung.receiptHandle = `${++this.#receiptHandles}/${row.id}`;
    hung.receiveCount++;
    const message = messageOf(row);
    this.queues.line(message).hide(hung, nowMs + receivedMs);
    const { receiptHandle, receiveCount, sinceMs } = hung;
    return { message, receiptHandle, receiveCount, sentAtMs: sinceMs, snapshot: snapshotOf(row) };
  }

  #follow(row: Row): void {
    const hung = this.#hung.get(row.id);
    const running = row.head.state === 'running';
    const hasMessage =
      this.#tables.rows.get(row.id) === row && (running || (isReady(row.head) && this.#tables.isLowest(row)));
    if (!hasMessage) {
      if (hung !== undefined) this.#drop(hung);
    } else if (hung === undefined) {
      this.#hang(row);
    } else if (running) {
      // The claim keeps its receiver's handle; the lease's end moves the bell on.
      hung.running = true;
      this.queues.line(messageOf(row)).hide(hung, leaseExpiredAtMs(row.head));
      this.queues.wake(messageOf(row).queue);
    } else if (hung.running) {
      this.#drop(hung);
      this.#hang(row);
    }
  }

  #hang(row: Row): void {
    const nowMs = this.#clock.now();
    const running = row.head.state === 'running';
    const visibleAtMs = running ? leaseExpiredAtMs(row.head) : nowMs;
    const hung: Hung = { row, sinceMs: nowMs, running, visibleAtMs, receiveCount: 0, receiptHandle: '' };
    this.#hung.set(row.id, hung);
    const message = messageOf(row);
    this.queues.line(message).add(hung, nowMs);
    this.queues.wake(message.queue);
  }

  #drop(hung: Hung): void {
    this.#hung.delete(hung.row.id);
    this.queues.line(messageOf(hung.row)).remove(hung);
  }
}
