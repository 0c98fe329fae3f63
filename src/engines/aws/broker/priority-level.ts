import type { Message } from '@aws-sdk/client-sqs';
import { delayMs } from '../../../core/backoff.ts';
import type { Delivery } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import { DeliveryBuffer } from './delivery-buffer.ts';
import type { InFlightTracker } from './in-flight.ts';
import { readMessages } from './read-messages.ts';
import { decodeReceiptHandle } from './receipt-handle.ts';
import type { SqsQueue } from './sqs/queue.ts';

/** The maximum number of messages that SQS returns to one ReceiveMessage call. */
export const messagesPerReceive = 10;
/**
 * How long an open poll may continue after the broker was closed, in ms. Messages that SQS is just returning to an
 * aborted poll would stay hidden for a whole lease.
 */
export const closeGraceMs = 1_000;
const pollBackoff = { firstMs: 500, longestMs: 20_000 } as const;

/**
 * The backoff of one priority level (one SQS queue) after failed polls: 0.5 s, doubled with each failure up to 20 s.
 * The caller runs the timer.
 */
export class PollBackoff {
  #failures = 0;
  #isActive = false;

  get isActive(): boolean {
    return this.#isActive;
  }

  /** True from a failed poll until the next successful poll, even after the backoff has ended. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /**
   * Starts the backoff after a failed poll, and returns the length of the backoff in ms. Returns undefined if a
   * backoff is already active, for example because several concurrent polls failed.
   */
  pollFailed(): number | undefined {
    if (this.#isActive) return undefined;
    this.#isActive = true;
    return delayMs(pollBackoff, this.#failures++);
  }

  end(): void {
    this.#isActive = false;
  }

  pollSucceeded(): void {
    this.#failures = 0;
  }
}

/** Receives from one SQS queue, and buffers deliveries for which no waiting receive call had room. */
export class PriorityLevel {
  readonly queue: SqsQueue;
  /**
   * The number of polls of this SQS queue that the queue poller has open. While a long poll is open, the SQS queue is
   * empty.
   */
  openPolls = 0;
  /**
   * True if the last poll returned as many messages as it requested, so that the SQS queue probably holds more
   * messages.
   */
  hasBacklog = false;
  /**
   * True if at least half of the deliveries of the last poll that returned any are passed over. The next polls then
   * request more messages than there is room for, to get behind the messages of full types.
   */
  isPassingOver = false;
  readonly backoff = new PollBackoff();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #inFlight: InFlightTracker;
  readonly #buffer: DeliveryBuffer;

  constructor(queue: SqsQueue, clock: Clock, log: Log, inFlight: InFlightTracker) {
    this.queue = queue;
    this.#clock = clock;
    this.#log = log;
    this.#inFlight = inFlight;
    this.#buffer = new DeliveryBuffer(clock, {
      hide: (delivery, ms) => this.#hide(delivery, Math.ceil(ms / 1_000)),
    });
  }

  /** True if the last poll of this SQS queue failed and no new poll is open. */
  get isFailing(): boolean {
    return this.backoff.hasFailed && this.openPolls === 0;
  }

  /** The number of buffered deliveries, without those that are passed over. */
  get bufferedCount(): number {
    return this.#buffer.waitingCount;
  }

  /**
   * Receives up to `most` messages. If the broker is closed meanwhile, makes the messages visible in SQS again and
   * returns none. `isAhead` is true if some of the messages will be buffered: SQS then hides them for a short time
   * first, so that they are soon visible again if this process is killed.
   */
  poll(most: number, waitSeconds: number, isAhead: boolean): Promise<Delivery[]> {
    return this.#inFlight.track(this.#poll(most, waitSeconds, isAhead));
  }

  async #poll(most: number, waitSeconds: number, isAhead: boolean): Promise<Delivery[]> {
    const messages = await this.#receive(most, waitSeconds, isAhead);
    this.hasBacklog = messages.length === most;
    const { deliveries, duplicateReceipts, unreadable } = readMessages(
      messages,
      this.queue,
      this.#clock.now(),
    );
    for (const receipt of duplicateReceipts) void this.#ignoreFailure(this.queue.delete(receipt));
    for (const { MessageId } of unreadable) {
      const fields = { queue: this.queue.queue.queue, sqs_queue: this.queue.name, message_id: MessageId };
      this.#log.warn(
        fields,
        'message is no dispatch message of Holdfast; SQS will move it to the dead-letter queue',
      );
    }
    if (!this.#inFlight.closing.aborted) return [...deliveries];
    await Promise.all(deliveries.map((delivery) => this.#hide(delivery, 0)));
    return [];
  }

  async #receive(most: number, waitSeconds: number, isAhead: boolean): Promise<Message[]> {
    const { closing } = this.#inFlight;
    const request = { most, attemptId: this.#clock.uuid(), isAhead };
    const grace = new AbortController();
    let cancel = (): void => {};
    const abortSoon = (): void => {
      cancel = this.#clock.after(closeGraceMs, () => grace.abort());
    };
    closing.addEventListener('abort', abortSoon);
    try {
      return await this.queue.receive({ ...request, waitSeconds, signal: grace.signal });
    } catch (thrown) {
      if (!grace.signal.aborted) throw thrown;
      // This ReceiveMessage call repeats the aborted one with the same attempt id, so SQS returns the same messages.
      return await this.queue.receive({ ...request, waitSeconds: 0, signal: new AbortController().signal });
    } finally {
      cancel();
      closing.removeEventListener('abort', abortSoon);
    }
  }

  /**
   * Buffers deliveries for later receive calls. Those that are `passedOver`, because a waiting receive call has room but
   * not for them, stay in the buffer for longer than the others.
   */
  buffer(deliveries: readonly Delivery[], passedOver: ReadonlySet<Delivery>): void {
    for (const delivery of deliveries) this.#buffer.add(delivery, passedOver.has(delivery));
  }

  /** Removes the deliveries that `accepts` accepts from the buffer, and returns them. */
  takeBuffered(accepts: (delivery: Delivery) => boolean): Delivery[] {
    return this.#buffer.take(accepts);
  }

  /** Marks buffered deliveries as passed over, because a waiting receive call has room but not for them. */
  passOver(deliveries: ReadonlySet<Delivery>): void {
    if (deliveries.size > 0) this.#buffer.passOver(deliveries);
  }

  /** Makes all buffered deliveries visible in SQS again at once. Called when the broker is closed. */
  returnBuffered(): Promise<void> {
    return this.#buffer.returnAll();
  }

  /** Hides a delivery in SQS for `seconds` from now on; 0 makes it visible at once. */
  async #hide({ receiptHandle }: Delivery, seconds: number): Promise<void> {
    const receipt = decodeReceiptHandle(receiptHandle)?.receipt;
    if (receipt !== undefined) await this.#ignoreFailure(this.queue.changeVisibility(receipt, seconds));
  }

  /**
   * Logs a failed call to SQS instead of throwing: SQS makes the message visible again when its visibility timeout
   * ends.
   */
  async #ignoreFailure(call: Promise<boolean>): Promise<void> {
    try {
      await call;
    } catch (err) {
      this.#log.debug(
        { err, sqs_queue: this.queue.name },
        'could not reset message visibility; the message reappears when its visibility timeout ends',
      );
    }
  }
}
