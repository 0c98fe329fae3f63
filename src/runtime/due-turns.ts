import type { DueEntry, TaskId } from '../ports/task-store.ts';

/**
 * The maximum number of due entries that wait in this process, over all queues, in about 25 MB. A queue may have half of
 * the free places, so that entries of further queues find room at any time.
 */
const mostWaiting = 100_000;
const mostWaitingOfQueue = 10_000;
/** So many entries of a queue find room even if there are `mostWaiting`. */
const leastRoomOfQueue = 10;
/**
 * The number of due tasks that the sweep acts on at once. It begins with `first`. Turns that take longer than `longMs` lower
 * it, since a task of another queue would wait behind them at the table; quick turns raise it. The last `reserve` places are
 * for queues that have none yet.
 */
const inFlight = { least: 30, first: 100, most: 200, step: 10, reserve: 10, longMs: 500 } as const;
/** The maximum number of due tasks that the sweep acts on at once, those of stalled turns included. */
const mostInFlightWithStalled = 400;
/** The most tasks of one turn, and the fewest if many queues wait for turns: SQS takes ten messages in one call. */
const turnSize = { most: 50, least: 10 } as const;

/** A due entry, and the shard from which it was read. */
export interface ReadEntry {
  readonly entry: DueEntry;
  readonly shard: number;
}

/** Due tasks of one queue, on which the sweep acts at once. */
export interface Turn {
  readonly number: number;
  readonly queue: QueueInTurn;
  readonly entries: readonly ReadEntry[];
  /** True if the turn takes so long that it no longer keeps other queues from their turns. */
  isStalled: boolean;
  hasEnded: boolean;
}

/** The due entries of one queue that wait for turns. */
class QueueInTurn {
  readonly waiting: ReadEntry[] = [];
  inFlight = 0;
  /** The number of the queue's latest turn, or 0 if it had none yet. */
  lastTurn = 0;
}

/** The queues of one tenant. */
class TenantInTurn {
  readonly queues = new Map<string, QueueInTurn>();
  lastTurn = 0;
}

/**
 * The due entries that were read and not acted on yet, by queue. Turns go to the tenant whose latest turn was longest
 * ago, and to its queue whose latest turn was longest ago, so that no queue waits behind the many due tasks of another.
 */
export class DueTurns {
  readonly #tenants = new Map<string, TenantInTurn>();
  /** The tasks that wait for a turn or are acted on. */
  readonly #known = new Set<TaskId>();
  /** The due times of the tasks that were acted on since the last two calls of `forgetActedOn`. */
  #actedOn = new Map<TaskId, number>();
  #actedOnBefore = new Map<TaskId, number>();
  #turns = 0;
  #waiting = 0;
  #waitingQueues = 0;
  #inFlight = 0;
  #inFlightStalled = 0;
  #mostInFlight: number = inFlight.first;
  /** The latest turn that had begun when the number of tasks in flight was lowered. */
  #loweredAtTurn = 0;

  /** The number of due entries that wait for a turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** True if no due entry waits for a turn, and no turn but stalled ones goes on. */
  get isIdle(): boolean {
    return this.#waiting === 0 && this.#inFlight === 0;
  }

  /**
   * Adds a due entry behind those of its queue. Does nothing if the entry waits already, or was acted on a moment ago:
   * the due index may lag. Returns false if the queue has no room.
   */
  add(entry: DueEntry, shard: number): boolean {
    const { id, dueAtMs } = entry;
    if (this.#known.has(id)) return true;
    if (this.#actedOn.get(id) === dueAtMs || this.#actedOnBefore.get(id) === dueAtMs) return true;
    const queue = this.#queueOf(entry);
    if (queue.waiting.length >= this.#room()) return false;
    if (queue.waiting.length === 0) this.#waitingQueues++;
    queue.waiting.push({ entry, shard });
    this.#known.add(id);
    this.#waiting++;
    return true;
  }

  /** Returns true if so few entries of the queue of this entry wait that more should be read. */
  needsMore({ tenantTag, queueTag }: DueEntry): boolean {
    const waiting = this.#tenants.get(tenantTag)?.queues.get(queueTag)?.waiting.length ?? 0;
    return waiting < this.#room() / 2;
  }

  /** Takes the entries of the next turn. Returns undefined if none waits, or enough tasks are acted on. */
  next(): Turn | undefined {
    const free = this.#mostInFlight - this.#inFlight;
    const room = Math.min(free, mostInFlightWithStalled - this.#inFlight - this.#inFlightStalled);
    if (room <= 0 || this.#waiting === 0) return undefined;
    const found = this.#longestWithoutTurn();
    if (found === undefined) return undefined;
    const { tenant, queue } = found;
    const share = Math.max(turnSize.least, Math.floor(this.#mostInFlight / this.#waitingQueues));
    const size = Math.min(turnSize.most, share, room, this.#mostInFlightOfQueue - queue.inFlight);
    const entries = queue.waiting.splice(0, size);
    const number = ++this.#turns;
    tenant.lastTurn = number;
    queue.lastTurn = number;
    queue.inFlight += entries.length;
    this.#inFlight += entries.length;
    this.#waiting -= entries.length;
    if (queue.waiting.length === 0) this.#waitingQueues--;
    return { number, queue, entries, isStalled: false, hasEnded: false };
  }

  /** Gives the places of a turn that takes very long to other queues. Its own queue gets no turn in these places. */
  stalled(turn: Turn): void {
    if (turn.isStalled || turn.hasEnded) return;
    turn.isStalled = true;
    this.#inFlight -= turn.entries.length;
    this.#inFlightStalled += turn.entries.length;
  }

  /**
   * Ends a turn that took `ms`. An entry for which `isActedOn` returns false is taken again as soon as it is read again.
   */
  end(turn: Turn, ms: number, isActedOn: (entry: DueEntry) => boolean): void {
    if (turn.hasEnded) return;
    turn.hasEnded = true;
    this.#adapt(turn, ms);
    turn.queue.inFlight -= turn.entries.length;
    if (turn.isStalled) this.#inFlightStalled -= turn.entries.length;
    else this.#inFlight -= turn.entries.length;
    for (const { entry } of turn.entries) {
      this.#known.delete(entry.id);
      if (isActedOn(entry)) this.#actedOn.set(entry.id, entry.dueAtMs);
    }
  }

  /** Forgets the tasks that were acted on before the previous call. Called before entries are read again. */
  forgetActedOn(): void {
    this.#actedOnBefore = this.#actedOn;
    this.#actedOn = new Map();
  }

  /** Forgets the queues that have no due task, and so which of them had a turn before the others. */
  forgetIdle(): void {
    for (const [tag, tenant] of this.#tenants) {
      for (const [queueTag, queue] of tenant.queues)
        if (queue.waiting.length === 0 && queue.inFlight === 0) tenant.queues.delete(queueTag);
      if (tenant.queues.size === 0) this.#tenants.delete(tag);
    }
  }

  get #mostInFlightOfQueue(): number {
    return this.#mostInFlight - inFlight.reserve;
  }

  #adapt(turn: Turn, ms: number): void {
    const { least, most, step, longMs } = inFlight;
    if (ms <= longMs / 2) this.#mostInFlight = Math.min(most, this.#mostInFlight + step);
    // The turns that had begun before the last change say nothing about its effect.
    if (ms <= longMs || turn.number <= this.#loweredAtTurn) return;
    this.#mostInFlight = Math.max(least, Math.floor(this.#mostInFlight / 2));
    this.#loweredAtTurn = this.#turns;
  }

  /** How many entries of one queue may wait now. */
  #room(): number {
    const half = Math.floor((mostWaiting - this.#waiting) / 2);
    return Math.max(leastRoomOfQueue, Math.min(mostWaitingOfQueue, half));
  }

  #queueOf({ tenantTag, queueTag }: DueEntry): QueueInTurn {
    let tenant = this.#tenants.get(tenantTag);
    if (tenant === undefined) {
      tenant = new TenantInTurn();
      this.#tenants.set(tenantTag, tenant);
    }
    let queue = tenant.queues.get(queueTag);
    if (queue === undefined) {
      queue = new QueueInTurn();
      tenant.queues.set(queueTag, queue);
    }
    return queue;
  }

  #longestWithoutTurn(): { readonly tenant: TenantInTurn; readonly queue: QueueInTurn } | undefined {
    let found: { readonly tenant: TenantInTurn; readonly queue: QueueInTurn } | undefined;
    for (const tenant of this.#tenants.values()) {
      if (found !== undefined && tenant.lastTurn >= found.tenant.lastTurn) continue;
      let first: QueueInTurn | undefined;
      for (const queue of tenant.queues.values()) {
        if (queue.waiting.length === 0 || queue.inFlight >= this.#mostInFlightOfQueue) continue;
        if (first === undefined || queue.lastTurn < first.lastTurn) first = queue;
      }
      if (first !== undefined) found = { tenant, queue: first };
    }
    return found;
  }
}
