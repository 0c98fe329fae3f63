import type { Message } from '@aws-sdk/client-sqs';
import type { Delivery } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { InFlightTracker } from './in-flight.ts';
import { Pause } from './poll-backoff.ts';
import { decodeReceiptHandle } from './receipt-handle.ts';
import { readMessages } from './received.ts';
import type { SqsQueue } from './sqs/queue.ts';

/** What one call to SQS brings at most. */
export const receivedAtOnce = 10;
/** A received bell that nobody has room for is kept so long for whoever comes, then given back. */
const bufferedMs = 1_000;
/** Who polls on would be brought it again at once: hidden for 1 s, twice as long with each receive, 8 s at most. */
const passedOverDoublings = 3;
/** At the end a poll under way is let finish for so long: what it is just being answered would stay hidden for a lease. */
export const lastPollMs = 1_000;

interface BufferedDelivery {
  readonly delivery: Delivery;
  readonly cancel: () => void;
}

/** Receives from one SQS queue, and keeps what nobody had room for when it came. */
export class PriorityLevel {
  readonly queue: SqsQueue;
  /** Polls of the ear under way. While there is one, nothing is there that it would not bring. */
  polls = 0;
  /** The last poll brought all that it asked for, so there is likely more. */
  full = false;
  /** Of the polls of the ear, after one that failed. */
  readonly pause = new Pause();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #inFlight: InFlightTracker;
  #buffered: BufferedDelivery[] = [];

  constructor(queue: SqsQueue, clock: Clock, log: Log, inFlight: InFlightTracker) {
    this.queue = queue;
    this.#clock = clock;
    this.#log = log;
    this.#inFlight = inFlight;
  }

  /** Its last poll failed and none is under way, which may well work. */
  get isFailing(): boolean {
    return this.pause.hasFailed && this.polls === 0;
  }

  /** Nothing, where this process hears no more: what came then is given back at once. */
  poll(most: number, waitSeconds: number): Promise<Delivery[]> {
    return this.#inFlight.track(this.#poll(most, waitSeconds));
  }

  async #poll(most: number, waitSeconds: number): Promise<Delivery[]> {
    const messages = await this.#receive(most, waitSeconds);
    this.full = messages.length === most;
    const { deliveries, doubles, unreadable } = readMessages(messages, this.queue, this.#clock.now());
    for (const receipt of doubles) void this.#quietly(this.queue.delete(receipt));
    for (const { MessageId } of unreadable) {
      const fields = { queue: this.queue.queue.queue, sqs_queue: this.queue.name, message_id: MessageId };
      this.#log.warn(fields, 'a message that is no bell of Holdfast is left to the dead-letter queue');
    }
    if (!this.#inFlight.closing.aborted) return [...deliveries];
    await Promise.all(deliveries.map((delivery) => this.#show(delivery, 0)));
    return [];
  }

  async #receive(most: number, waitSeconds: number): Promise<Message[]> {
    const { closing } = this.#inFlight;
    const asked = { most, attemptId: this.#clock.uuid() };
    const cut = new AbortController();
    let cancel = (): void => {};
    const cutSoon = (): void => {
      cancel = this.#clock.after(lastPollMs, () => cut.abort());
    };
    closing.addEventListener('abort', cutSoon);
    try {
      return await this.queue.receive({ ...asked, waitSeconds, signal: cut.signal });
    } catch (thrown) {
      if (!cut.signal.aborted) throw thrown;
      // By its id SQS knows the one that was cut, and tells again what it had told.
      return await this.queue.receive({ ...asked, waitSeconds: 0, signal: new AbortController().signal });
    } finally {
      cancel();
      closing.removeEventListener('abort', cutSoon);
    }
  }

  /** `isPassedOver`: whoever it is left to has no room, and another polls on. */
  buffer(deliveries: readonly Delivery[], isPassedOver: (delivery: Delivery) => boolean): void {
    for (const delivery of deliveries) {
      const doublings = Math.min(passedOverDoublings, Math.max(0, delivery.receiveCount - 1));
      const hiddenSeconds = isPassedOver(delivery) ? 2 ** doublings : 0;
      const giveBack = (): void => void this.#giveBack(buffered, hiddenSeconds);
      const buffered: BufferedDelivery = { delivery, cancel: this.#clock.after(bufferedMs, giveBack) };
      this.#buffered.push(buffered);
    }
  }

  takeBuffered(most: number, wanted: (delivery: Delivery) => boolean): Delivery[] {
    const taken = this.#buffered.filter(({ delivery }) => wanted(delivery)).slice(0, most);
    this.#buffered = this.#buffered.filter((buffered) => !taken.includes(buffered));
    for (const buffered of taken) buffered.cancel();
    return taken.map((buffered) => buffered.delivery);
  }

  /** At once, since this process hears no more. */
  async returnBuffered(): Promise<void> {
    await Promise.all(this.#buffered.map((buffered) => this.#giveBack(buffered, 0)));
  }

  async #giveBack(buffered: BufferedDelivery, hiddenSeconds: number): Promise<void> {
    buffered.cancel();
    this.#buffered = this.#buffered.filter((one) => one !== buffered);
    await this.#show(buffered.delivery, hiddenSeconds);
  }

  /** In so many seconds, to whoever polls then. */
  async #show({ receiptHandle }: Delivery, inSeconds: number): Promise<void> {
    const receipt = decodeReceiptHandle(receiptHandle)?.receipt;
    if (receipt !== undefined) await this.#quietly(this.queue.changeVisibility(receipt, inSeconds));
  }

  /** Where it fails the message comes back by itself. */
  async #quietly(call: Promise<boolean>): Promise<void> {
    try {
      await call;
    } catch (err) {
      this.#log.debug({ err, sqs_queue: this.queue.name }, 'a bell was left hidden');
    }
  }
}
