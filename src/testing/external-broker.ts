import { HoldfastError } from '../core/errors.ts';
import type { BellKind } from '../engines/memory/broker/broker.ts';
import { Belfry, receivedMs } from '../engines/memory/broker/priority-queues.ts';
import type { Faults } from '../engines/memory/faults.ts';
import { type MemoryEngine, type MemoryOptions, memory } from '../engines/memory/index.ts';
import { queueName } from '../engines/memory/rows.ts';
import type { Bell, Ring, Want } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { QueueRef, TaskId } from '../ports/task-store.ts';

const minuteMs = 60_000;
/** A queue remembers a deduplication id so long, even after its message was deleted. */
const rememberedMs = 5 * minuteMs;
const retentionMs = 14 * 24 * 60 * minuteMs;
/** In all, from its receipt on. */
const longestHiddenMs = 12 * 60 * minuteMs;
const receivedAtOnce = 10;
/** Whoever rings anew may do so again after this. */
const againSlotMs = 15_000;

interface Message {
  readonly ring: Ring;
  readonly sentAtMs: number;
  visibleAtMs: number;
  receivedAtMs: number;
  receives: number;
  handle: string;
}

/**
 * As a FIFO queue of messages beside the store: only what was rung is heard, and it is heard until it is silenced.
 * The messages of one task are a group: while one is held no other is given. A ring that repeats another (same task,
 * version and reason) within five minutes is swallowed.
 */
export class BellsApart implements BellKind {
  readonly belfry = new Belfry<Message>();
  readonly #remembered = new Map<string, number>();
  readonly #byHandle = new Map<string, Message>();
  readonly #groups = new Map<string, Set<Message>>();
  readonly #clock: Clock;
  readonly #faults: Faults;
  #handles = 0;

  constructor(clock: Clock, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  ring(ring: Ring): true | HoldfastError {
    const fate = this.#faults.ring?.(ring) ?? 'rung';
    if (fate === 'failed') return ringFailed();
    if (fate === 'lost' || this.#isRepeat(ring)) return true;
    for (let copies = fate === 'doubled' ? 2 : 1; copies > 0; copies--) this.#send(ring);
    return true;
  }

  /** A queue knows neither what its receivers handle nor how large a task is: that is judged after the read. */
  take(queues: readonly QueueRef[], want: Want): Bell[] {
    const nowMs = this.#clock.now();
    const room = want.room();
    const most = room.bytes > 0 ? Math.min(room.tasks, receivedAtOnce) : 0;
    const groups = new Set<string>();
    return this.belfry.take(queues, nowMs, (message, soFar) => {
      if (soFar.length >= most) return 'full';
      if (message.sentAtMs + retentionMs <= nowMs) {
        this.#delete(message);
        return 'skip';
      }
      const { id } = message.ring;
      if (!groups.has(id) && this.#isHeld(id, nowMs)) return 'skip';
      groups.add(id);
      return this.#receive(message, nowMs);
    });
  }

  hide(handle: string, ms: number, of?: QueueRef): boolean {
    const message = this.#heldBy(handle, of);
    if (message === undefined) return false;
    const untilMs = Math.min(this.#clock.now() + ms, message.receivedAtMs + longestHiddenMs);
    this.belfry.line(message.ring).hide(message, untilMs);
    this.belfry.wake(message.ring.queue);
    return true;
  }

  silence(handle: string, of?: QueueRef): boolean {
    const message = this.#heldBy(handle, of);
    if (message === undefined) return false;
    this.#delete(message);
    // Its group may be given again.
    this.belfry.wake(message.ring.queue);
    return true;
  }

  hangs(id: TaskId): boolean {
    return this.#groups.has(id);
  }

  #isRepeat(ring: Ring): boolean {
    const nowMs = this.#clock.now();
    for (const [id, untilMs] of this.#remembered) {
      if (untilMs > nowMs) break;
      this.#remembered.delete(id);
    }
    const slot = ring.reason === 'again' ? Math.floor(nowMs / againSlotMs) : '';
    const id = `${ring.id}/${ring.version}/${ring.reason}/${slot}/${ring.priority}`;
    if ((this.#remembered.get(id) ?? 0) > nowMs) return true;
    this.#remembered.delete(id);
    this.#remembered.set(id, nowMs + rememberedMs);
    return false;
  }

  #send(ring: Ring): void {
    const nowMs = this.#clock.now();
    const visibleAtMs = nowMs + (this.#faults.ringDelayMs?.(ring) ?? 0);
    const message: Message = { ring, sentAtMs: nowMs, visibleAtMs, receivedAtMs: 0, receives: 0, handle: '' };
    const group = this.#groups.get(ring.id) ?? new Set();
    this.#groups.set(ring.id, group.add(message));
    this.belfry.line(ring).add(message, nowMs);
    this.belfry.wake(ring.queue);
  }

  #receive(message: Message, nowMs: number): Bell {
    this.#byHandle.delete(message.handle);
    message.handle = `${message.ring.id}#${++this.#handles}`;
    this.#byHandle.set(message.handle, message);
    message.receivedAtMs = nowMs;
    message.receives++;
    this.belfry.line(message.ring).hide(message, nowMs + receivedMs);
    const { ring, handle, receives, sentAtMs } = message;
    return { ring, handle, receives, sentAtMs, hint: undefined };
  }

  #isHeld(group: string, nowMs: number): boolean {
    for (const message of this.#groups.get(group) ?? []) {
      if (message.receives > 0 && message.visibleAtMs > nowMs) return true;
    }
    return false;
  }

  #heldBy(handle: string, of: QueueRef | undefined): Message | undefined {
    const message = this.#byHandle.get(handle) ?? this.#anyOf(handle);
    if (message === undefined) return undefined;
    if (of !== undefined && queueName(of) !== queueName(message.ring.queue)) return undefined;
    const current = message.handle === handle && message.visibleAtMs > this.#clock.now();
    return (this.#faults.handle?.(current) ?? current) ? message : undefined;
  }

  /** Which message a handle that is out of use may have meant: only stores that are wrong on purpose accept it. */
  #anyOf(handle: string): Message | undefined {
    for (const message of this.#groups.get(handle.slice(0, handle.lastIndexOf('#'))) ?? []) return message;
    return undefined;
  }

  #delete(message: Message): void {
    this.belfry.line(message.ring).remove(message);
    this.#byHandle.delete(message.handle);
    const group = this.#groups.get(message.ring.id);
    group?.delete(message);
    if (group?.size === 0) this.#groups.delete(message.ring.id);
  }
}

/** The reference engine with a message queue beside it, as on AWS. */
export function externalMemory(options: Omit<MemoryOptions, 'external'>): MemoryEngine {
  return memory({ ...options, external: (clock, faults) => new BellsApart(clock, faults) });
}

function ringFailed(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The bell could not be rung.', {
    help: 'Send the request again with the same key.',
  });
}
