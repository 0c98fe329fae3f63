import { HoldfastError } from '../core/errors.ts';
import { isSameQueue, type QueueRef } from '../core/queue-ref.ts';
import { typeRoomOf } from '../core/type-room.ts';
import type { BrokerKind } from '../engines/memory/broker/broker.ts';
import { PriorityQueues, receivedMs } from '../engines/memory/broker/priority-queues.ts';
import type { Faults } from '../engines/memory/faults.ts';
import { type MemoryEngine, type MemoryOptions, memory } from '../engines/memory/index.ts';
import type { Delivery, DispatchMessage, ReceiveRequest } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { TaskId } from '../ports/task-store.ts';

const minuteMs = 60_000;
/** How long a queue remembers a deduplication id, even after its message was deleted. */
const rememberedMs = 5 * minuteMs;
const retentionMs = 14 * 24 * 60 * minuteMs;
/** The longest time for which a message is hidden, counted from its receipt. */
const longestHiddenMs = 12 * 60 * minuteMs;
const messagesPerReceive = 10;
/** The time in ms after which a message with the reason `again` may be repeated. */
const againSlotMs = 15_000;

interface QueuedMessage {
  readonly message: DispatchMessage;
  readonly sentAtMs: number;
  visibleAtMs: number;
  receivedAtMs: number;
  receiveCount: number;
  receiptHandle: string;
}

/**
 * A simulated external broker, which behaves like an SQS FIFO queue beside the store. It delivers a message
 * again and again until the message is deleted. The messages of one task are a group: while one is hidden, no
 * other is delivered. A message that repeats another one (same task, version, reason and priority) within
 * five minutes is dropped.
 */
export class ExternalBroker implements BrokerKind {
  readonly queues = new PriorityQueues<QueuedMessage>();
  readonly #remembered = new Map<string, number>();
  readonly #byReceiptHandle = new Map<string, QueuedMessage>();
  readonly #groups = new Map<string, Set<QueuedMessage>>();
  readonly #clock: Clock;
  readonly #faults: Faults;
  #receiptHandles = 0;

  constructor(clock: Clock, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  send(message: DispatchMessage): true | HoldfastError {
    const fate = this.#faults.send?.(message) ?? 'sent';
    if (fate === 'failed') return sendFailed();
    if (fate === 'lost' || this.#isRepeat(message)) return true;
    for (let copies = fate === 'doubled' ? 2 : 1; copies > 0; copies--) this.#send(message);
    return true;
  }

  /**
   * Takes messages without regard to the types that the request handles and to their bytes, because a message queue
   * knows neither. Messages of a type for which the request has no room are left, as the broker on SQS leaves them.
   */
  take(queues: readonly QueueRef[], request: ReceiveRequest): Delivery[] {
    const nowMs = this.#clock.now();
    const room = request.room();
    const most = room.bytes > 0 ? Math.min(room.tasks, messagesPerReceive) : 0;
    const groups = new Set<string>();
    const typeRoom = typeRoomOf(request);
    return this.queues.take(queues, nowMs, (queued, soFar) => {
      if (soFar.length >= most) return 'full';
      if (queued.sentAtMs + retentionMs <= nowMs) {
        this.#delete(queued);
        return 'skip';
      }
      const { id, type } = queued.message;
      if (!groups.has(id) && this.#isHeld(id, nowMs)) return 'skip';
      if (typeRoom?.has(type) === false) return 'skip';
      typeRoom?.use(type);
      groups.add(id);
      return this.#receive(queued, nowMs);
    });
  }

  changeVisibility(receiptHandle: string, ms: number, expectedQueue?: QueueRef): boolean {
    const queued = this.#heldBy(receiptHandle, expectedQueue);
    if (queued === undefined) return false;
    const untilMs = Math.min(this.#clock.now() + ms, queued.receivedAtMs + longestHiddenMs);
    this.queues.of(queued.message).hide(queued, untilMs);
    this.queues.wake(queued.message.queue);
    return true;
  }

  delete(receiptHandle: string, expectedQueue?: QueueRef): boolean {
    const queued = this.#heldBy(receiptHandle, expectedQueue);
    if (queued === undefined) return false;
    this.#delete(queued);
    // Other messages of the same task may be delivered after this deletion.
    this.queues.wake(queued.message.queue);
    return true;
  }

  hasMessage(id: TaskId): boolean {
    return this.#groups.has(id);
  }

  #isRepeat(message: DispatchMessage): boolean {
    const nowMs = this.#clock.now();
    for (const [id, untilMs] of this.#remembered) {
      if (untilMs > nowMs) break;
      this.#remembered.delete(id);
    }
    const slot = message.reason === 'again' ? Math.floor(nowMs / againSlotMs) : '';
    const id = `${message.id}/${message.version}/${message.reason}/${slot}/${message.priority}`;
    if ((this.#remembered.get(id) ?? 0) > nowMs) return true;
    this.#remembered.delete(id);
    this.#remembered.set(id, nowMs + rememberedMs);
    return false;
  }

  #send(message: DispatchMessage): void {
    const nowMs = this.#clock.now();
    const visibleAtMs = nowMs + (this.#faults.deliveryDelayMs?.(message) ?? 0);
    const queued: QueuedMessage = {
      message,
      sentAtMs: nowMs,
      visibleAtMs,
      receivedAtMs: 0,
      receiveCount: 0,
      receiptHandle: '',
    };
    const group = this.#groups.get(message.id) ?? new Set();
    this.#groups.set(message.id, group.add(queued));
    this.queues.of(message).add(queued, nowMs);
    this.queues.wake(message.queue);
  }

  #receive(queued: QueuedMessage, nowMs: number): Delivery {
    this.#byReceiptHandle.delete(queued.receiptHandle);
    queued.receiptHandle = `${queued.message.id}#${++this.#receiptHandles}`;
    this.#byReceiptHandle.set(queued.receiptHandle, queued);
    queued.receivedAtMs = nowMs;
    queued.receiveCount++;
    this.queues.of(queued.message).hide(queued, nowMs + receivedMs);
    const { message, receiptHandle, receiveCount, sentAtMs } = queued;
    return { message, receiptHandle, receiveCount, sentAtMs, snapshot: undefined };
  }

  #isHeld(group: string, nowMs: number): boolean {
    for (const queued of this.#groups.get(group) ?? []) {
      if (queued.receiveCount > 0 && queued.visibleAtMs > nowMs) return true;
    }
    return false;
  }

  #heldBy(receiptHandle: string, expectedQueue: QueueRef | undefined): QueuedMessage | undefined {
    const queued = this.#byReceiptHandle.get(receiptHandle) ?? this.#anyOf(receiptHandle);
    if (queued === undefined) return undefined;
    if (expectedQueue !== undefined && !isSameQueue(expectedQueue, queued.message.queue)) return undefined;
    const current = queued.receiptHandle === receiptHandle && queued.visibleAtMs > this.#clock.now();
    return (this.#faults.handle?.(current) ?? current) ? queued : undefined;
  }

  /**
   * Returns any message of the task that a stale receipt handle names, for injected faults that accept a stale handle.
   */
  #anyOf(receiptHandle: string): QueuedMessage | undefined {
    for (const queued of this.#groups.get(receiptHandle.slice(0, receiptHandle.lastIndexOf('#'))) ?? [])
      return queued;
    return undefined;
  }

  #delete(queued: QueuedMessage): void {
    this.queues.of(queued.message).remove(queued);
    this.#byReceiptHandle.delete(queued.receiptHandle);
    const group = this.#groups.get(queued.message.id);
    group?.delete(queued);
    if (group?.size === 0) this.#groups.delete(queued.message.id);
  }
}

/** Returns the memory engine with an external broker, as on AWS. */
export function externalMemory(options: Omit<MemoryOptions, 'external'>): MemoryEngine {
  return memory({ ...options, external: (clock, faults) => new ExternalBroker(clock, faults) });
}

function sendFailed(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The dispatch message could not be sent.', {
    help: 'Send the request again with the same key.',
  });
}
