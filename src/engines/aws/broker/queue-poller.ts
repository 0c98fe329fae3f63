/**
 * Decides when this process polls SQS for one Holdfast queue. The queue has one SQS queue per enabled priority, called
 * a level. All receive calls of the process that wait for the queue (waiters) share one poller and its polls. The
 * poller's modes:
 *
 * - Waiting for room: no waiter has joined, or no waiter has room for a task. Nothing is polled. A waiter that joins,
 *   a send of this process, or room that a waiter gets back (the receiver checks every 250 ms) makes the poller busy
 *   or quiet.
 * - Ahead: as before, but workers that begin each task at once have taken deliveries steadily in the last second. Levels
 *   with a backlog are polled with short polls until the buffer holds about as many messages as those workers take in a
 *   second (ahead.ts).
 * - Busy: polls levels in priority order, with a short poll of each. A level that returned messages makes the order
 *   start again; an empty one gets a long poll of up to 20 s, and the next lower level follows. The last level gets
 *   its long poll at once, and a level with a backlog up to 4 polls. So a lower level is polled only while the higher
 *   ones are known to be empty or are backing off. The end of any poll starts the order again.
 * - Quiet: the queue has several levels, and this process neither sent nor received a message for `quietAfterMs`. The
 *   poller opens one long poll at a time, of one level after the other: an idle queue costs the same however many
 *   levels it has. The next message received or sent by this process makes the poller busy.
 * - Throttled: the table cannot take more claims (poll-throttle.ts). No new poll starts until the wait that the
 *   throttle names is over: up to 1 s while the table's breaker is not closed, 50 ms while too many claims are in
 *   flight.
 * - Backing off: a level whose poll failed is not polled for 0.5 s, doubled with each failure up to 20 s. The other
 *   levels go on in the mode they are in. The first poll that succeeds resets the backoff.
 * - Closed: the broker is closing. No poll starts. Open polls have 1 s to end (priority-level.ts), and messages that
 *   open polls return are made visible again.
 */
import { asHoldfastError } from '../../../core/errors.ts';
import type { Priority } from '../../../core/priority.ts';
import type { Delivery, ReceiveRequest } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Dependency } from '../load/dependency.ts';
import { Ahead } from './ahead.ts';
import { PollThrottle } from './poll-throttle.ts';
import { messagesPerReceive, type PriorityLevel } from './priority-level.ts';
import type { PriorityRotation } from './priority-levels.ts';
import { type Choice, isOld, type Waiter } from './waiter.ts';

/** The longest wait of one ReceiveMessage call that SQS allows, in seconds. */
const longestPollSeconds = 20;
/**
 * The maximum number of concurrent polls of one priority level (SQS queue) while it has a backlog and waiters have
 * room.
 */
const pollsPerLevel = 4;

export interface PollerContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly rotation: PriorityRotation;
  readonly closing: AbortSignal;
  /** The time in ms without a message after which a queue with several priority levels is polled in quiet mode. */
  readonly quietAfterMs: number;
  /** The load of the DynamoDB table in which tasks are claimed; undefined switches the throttling of polls off. */
  readonly table: Dependency | undefined;
}

/**
 * Polls the SQS queues of one Holdfast queue for all waiting receive calls of this process. The head of this file
 * lists the poller's modes.
 */
export class QueuePoller {
  readonly levels: ReadonlyMap<Priority, PriorityLevel>;
  readonly throttle: PollThrottle;
  readonly #context: PollerContext;
  readonly #waiters = new Map<Waiter, number>();
  #passRunning = false;
  #passWanted = false;
  #isThrottled = false;
  #nextQuietLevel = 0;
  #lastActivityAtMs: number;
  readonly #ahead = new Ahead();
  /** The newest receive call that took deliveries and for whose caller messages are received ahead. */
  #aheadFor: ReceiveRequest | undefined;

  constructor(levels: ReadonlyMap<Priority, PriorityLevel>, context: PollerContext) {
    this.levels = levels;
    this.throttle = new PollThrottle(context.clock, context.table);
    this.#context = context;
    this.#lastActivityAtMs = context.clock.monotonic();
  }

  /** Adds a waiting receive call, which waits for deliveries of `queueCount` queues in all. */
  join(waiter: Waiter, queueCount: number): void {
    this.#waiters.set(waiter, queueCount);
    this.poll();
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Called when this process has sent a message to the queue. Ends the poller's quiet mode and polls at once. */
  wake(): void {
    this.#lastActivityAtMs = this.#context.clock.monotonic();
    if (this.#waiters.size > 0) this.poll();
  }

  /** Starts the polls of SQS that the poller's current mode requires and that are not open yet. */
  poll(): void {
    this.#passWanted = true;
    if (this.#passRunning) return;
    this.#passRunning = true;
    void this.#runPasses();
  }

  async #runPasses(): Promise<void> {
    while (this.#passWanted && !this.#context.closing.aborted) {
      this.#passWanted = false;
      this.#offerBuffered();
      if ((this.#room() === 0 && !this.#mustPollAhead()) || this.#mustWaitForThrottle()) continue;
      if (this.#isQuiet()) this.#pollNextQuietLevel();
      else await this.#pollByPriority();
    }
    this.#passRunning = false;
  }

  /** Returns true if no poll may start now because the DynamoDB table is overloaded. A timer then resumes polling. */
  #mustWaitForThrottle(): boolean {
    if (this.#isThrottled) return true;
    const waitMs = this.throttle.requestPoll();
    if (waitMs === 0) return false;
    this.#isThrottled = true;
    this.#context.clock.after(waitMs, () => {
      this.#isThrottled = false;
      this.poll();
    });
    return true;
  }

  /**
   * Busy mode: polls the priority levels without an open poll, in priority order. Stops at the first level that
   * returned messages, and skips a level whose poll fails.
   */
  async #pollByPriority(): Promise<void> {
    const idle = this.#context.rotation.levels
      .map((priority) => this.levels.get(priority))
      .filter(
        (level) => level !== undefined && level.openPolls === 0 && !level.backoff.isActive,
      ) as PriorityLevel[];
    const last = idle.at(-1);
    for (const level of idle) {
      const result = level === last ? 'empty' : await this.#probe(level);
      if (result === 'received') return;
      if (result === 'failed') continue;
      const room = this.#room();
      if ((room === 0 && !this.#mustPollAhead()) || this.#context.closing.aborted) return;
      // Only a level with a backlog is polled ahead, since a poll without a message costs as much as one with ten.
      if (room === 0 && !level.hasBacklog) continue;
      const wanted = room + this.#missingAhead();
      void this.#pollLevel(level, wanted, room === 0 ? 0 : this.#longPollSeconds());
      // A backlog may hold more messages than one ReceiveMessage call returns. The extra polls are short polls, so
      // that a poll without a message ends at once.
      const polls = level.isPassingOver ? pollsPerLevel : Math.ceil(wanted / messagesPerReceive);
      const extraPolls = level.hasBacklog && !this.throttle.isSlow ? Math.min(pollsPerLevel, polls) - 1 : 0;
      for (let i = 0; i < extraPolls; i++) void this.#pollLevel(level, wanted, 0);
    }
  }

  /** Polls a priority level (one SQS queue) once, with a short poll. */
  async #probe(level: PriorityLevel): Promise<'empty' | 'received' | 'failed'> {
    const count = await this.#pollLevel(level, this.#room() + this.#missingAhead(), 0);
    if (count === undefined) return 'failed';
    return count > 0 ? 'received' : 'empty';
  }

  /**
   * Polls one priority level and gives its deliveries to waiting receive calls. Returns the number of deliveries, or
   * undefined if the poll failed.
   */
  async #pollLevel(level: PriorityLevel, wanted: number, waitSeconds: number): Promise<number | undefined> {
    level.openPolls++;
    for (const waiter of this.#waiters.keys()) waiter.pollStarted(this);
    try {
      const most = level.isPassingOver
        ? messagesPerReceive
        : Math.min(messagesPerReceive, Math.max(1, wanted));
      const isAhead = !level.isPassingOver && most > this.#room();
      const deliveries = await level.poll(most, waitSeconds, isAhead);
      level.backoff.pollSucceeded();
      this.#deliver(level, deliveries);
      this.#passWanted = true;
      return deliveries.length;
    } catch (thrown) {
      this.#backOff(level, thrown);
      return undefined;
    } finally {
      level.openPolls--;
      if (!this.#passRunning && (this.#waiters.size > 0 || this.#mustPollAhead())) this.poll();
    }
  }

  /**
   * True if a waiting receive call of this process handles the delivery's task type, so that the delivery is kept for
   * that call. A receive call without room counts too, until the delivery has been received `limits.deliveryReceives`
   * times.
   */
  isHandled(delivery: Delivery): boolean {
    const mayWait = !isOld(delivery);
    for (const waiter of this.#waiters.keys()) {
      if (waiter.handles(delivery) && (mayWait || waiter.hasRoomFor(delivery))) return true;
    }
    return false;
  }

  /**
   * Gives deliveries to waiting receive calls that have room. The priority level (one SQS queue) buffers the others.
   */
  #deliver(level: PriorityLevel, deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    this.#lastActivityAtMs = this.#context.clock.monotonic();
    let left = deliveries;
    const passedOver = new Set<Delivery>();
    for (const waiter of this.#waiters.keys()) {
      if (left.length === 0) break;
      const choice = this.#choiceOf(waiter);
      const accepted = left.filter(choice.accepts);
      for (const delivery of choice.passedOver) passedOver.add(delivery);
      if (accepted.length === 0) continue;
      this.#context.rotation.countReceive();
      this.#give(waiter, accepted);
      left = left.filter((delivery) => !accepted.includes(delivery));
    }
    level.isPassingOver = left.filter((delivery) => passedOver.has(delivery)).length * 2 >= deliveries.length;
    level.buffer(left, passedOver);
    const waiting = left.filter((delivery) => !passedOver.has(delivery));
    if (waiting.length > 0) this.#aheadFor?.ahead?.(waiting);
  }

  /**
   * Returns the choice of deliveries for a waiting receive call: deliveries of its own task types, and deliveries that
   * no waiting receive call of this process handles, since one worker must defer such a delivery.
   */
  #choiceOf(waiter: Waiter): Choice {
    return waiter.choose((delivery) => !this.isHandled(delivery));
  }

  /** Gives buffered deliveries to waiting receive calls that have room now. */
  #offerBuffered(): void {
    for (const priority of this.#context.rotation.levels) {
      const level = this.levels.get(priority);
      for (const waiter of this.#waiters.keys()) {
        if (level === undefined || waiter.room === 0) continue;
        const choice = this.#choiceOf(waiter);
        const buffered = level.takeBuffered(choice.accepts);
        level.passOver(choice.passedOver);
        if (buffered.length > 0) this.#give(waiter, buffered);
      }
    }
  }

  #give(waiter: Waiter, deliveries: readonly Delivery[]): void {
    const { request } = waiter;
    if (request.ahead !== undefined) {
      this.#ahead.taken(deliveries.length, this.#context.clock.monotonic());
      this.#aheadFor = request;
    }
    waiter.end(deliveries);
  }

  /**
   * Returns how many more messages should be received ahead of the free slots, given those that are buffered already. It
   * is 0 while messages of full types are passed over: they would fill the buffer.
   */
  #missingAhead(): number {
    const ahead = this.#ahead.messages(this.#context.clock.monotonic());
    if (ahead === 0) return 0;
    let buffered = 0;
    for (const level of this.levels.values()) {
      if (level.isPassingOver) return 0;
      buffered += level.bufferedCount;
    }
    return Math.max(0, ahead - buffered);
  }

  /** True if so many messages are missing in the buffer that a poll for them alone is worth its price. */
  #mustPollAhead(): boolean {
    const missing = this.#missingAhead();
    if (missing === 0 || ![...this.levels.values()].some((level) => level.hasBacklog)) return false;
    return (
      missing >= messagesPerReceive || 2 * missing >= this.#ahead.messages(this.#context.clock.monotonic())
    );
  }

  /**
   * Returns the number of tasks for which all waiting receive calls have room. A receive call for several queues
   * counts with its share for this queue, unless this queue has a backlog.
   */
  #room(): number {
    const backlog = [...this.levels.values()].some((level) => level.hasBacklog);
    let room = 0;
    for (const [waiter, queueCount] of this.#waiters)
      room += Math.ceil(waiter.room / (backlog ? 1 : queueCount));
    return room;
  }

  /**
   * The wait time of a long poll in seconds: until the last waiting receive call ends, at least 1 s and at most 20 s.
   */
  #longPollSeconds(): number {
    const nowMs = this.#context.clock.monotonic();
    let longestMs = 0;
    for (const waiter of this.#waiters.keys()) longestMs = Math.max(longestMs, waiter.endAtMs - nowMs);
    return Math.min(longestPollSeconds, Math.max(1, Math.ceil(longestMs / 1_000)));
  }

  #isQuiet(): boolean {
    if (this.levels.size < 2) return false;
    return this.#context.clock.monotonic() - this.#lastActivityAtMs > this.#context.quietAfterMs;
  }

  /** Quiet mode: starts one long poll of the next priority level, unless a poll of any level is open. */
  #pollNextQuietLevel(): void {
    const levels = [...this.levels.values()];
    if (levels.some((level) => level.openPolls > 0)) return;
    for (let tried = 0; tried < levels.length; tried++) {
      const level = levels[this.#nextQuietLevel++ % levels.length];
      if (level === undefined || level.backoff.isActive) continue;
      void this.#pollLevel(level, this.#room(), this.#longPollSeconds());
      return;
    }
  }

  /**
   * Starts the backoff of a priority level whose poll failed. Waiting receive calls get the error only once the polls
   * of every level of the queue fail.
   */
  #backOff(failed: PriorityLevel, thrown: unknown): void {
    const { clock, log, closing } = this.#context;
    if (closing.aborted) return;
    const error = asHoldfastError(thrown);
    const backoffMs = failed.backoff.pollFailed();
    const others = [...this.levels.values()].filter((level) => level !== failed);
    if (others.every((level) => level.isFailing)) {
      for (const waiter of this.#waiters.keys()) waiter.pollFailed(this, error);
    }
    if (backoffMs === undefined) return;
    const fields = { err: error, sqs_queue: failed.queue.name, pause_ms: backoffMs };
    log.warn(fields, 'could not poll an SQS queue; trying again');
    clock.after(backoffMs, () => {
      failed.backoff.end();
      this.poll();
    });
  }
}
