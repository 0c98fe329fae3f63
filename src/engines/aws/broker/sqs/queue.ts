import type { Message } from '@aws-sdk/client-sqs';
import type { HoldfastError } from '../../../../core/errors.ts';
import type { Priority } from '../../../../core/priority.ts';
import type { QueueRef } from '../../../../core/queue-ref.ts';
import type { Clock } from '../../../../ports/clock.ts';
import type { CallPriority } from '../../load/concurrency-limiter.ts';
import { SqsBatcher } from './batcher.ts';
import type { ReceiveMessageRequest, SendEntry, SqsCalls } from './calls.ts';
import { asBrokerError, isMissingQueue, noSqsQueue } from './errors.ts';
import { ShortlyHidden, shortlyHiddenSeconds } from './shortly-hidden.ts';

export interface SqsQueueAddress {
  readonly queue: QueueRef;
  readonly priority: Priority;
  /** The name of the SQS queue. */
  readonly name: string;
  /** The priority that the concurrency limiter gives to calls that send messages. Default: `submit`. */
  readonly callPriority?: CallPriority | undefined;
}

/**
 * How long the deletion of a message that was received ahead waits for others, in ms. The message is hidden for seconds
 * more, and its task has ended, so that nothing depends on the deletion.
 */
const aheadDeleteWaitMs = 100;

export interface SqsReceiveRequest extends ReceiveMessageRequest {
  /** True if some of the messages will wait in a buffer of this process. */
  readonly isAhead?: boolean | undefined;
}

/**
 * An SQS queue of one Holdfast queue and priority. Messages that are sent, hidden or deleted within one turn of the
 * event loop share batch calls.
 */
export class SqsQueue {
  readonly queue: QueueRef;
  readonly priority: Priority;
  readonly name: string;
  readonly #calls: SqsCalls;
  readonly #sends: SqsBatcher<SendEntry, true | HoldfastError>;
  readonly #visibilityChanges: SqsBatcher<{ receipt: string; seconds: number }, boolean>;
  readonly #deletes: SqsBatcher<string, boolean>;
  /** The deletions of messages that were received ahead: their tasks are short, and end one after the other. */
  readonly #aheadDeletes: SqsBatcher<string, boolean>;
  readonly #shortlyHidden: ShortlyHidden;
  #url: Promise<string> | undefined;

  constructor(calls: SqsCalls, clock: Clock, { queue, priority, name, callPriority }: SqsQueueAddress) {
    this.queue = queue;
    this.priority = priority;
    this.name = name;
    this.#calls = calls;
    this.#sends = new SqsBatcher(
      clock,
      (batch) => this.#withUrl((url) => calls.send(url, batch, callPriority)),
      ({ body, group, deduplication }) => Buffer.byteLength(body) + group.length + deduplication.length,
    );
    this.#visibilityChanges = new SqsBatcher(clock, (batch) =>
      this.#withUrl((url) => calls.changeVisibility(url, batch)),
    );
    const deleteBatch = (batch: readonly string[]): Promise<readonly boolean[]> =>
      this.#withUrl((url) => calls.delete(url, batch));
    this.#deletes = new SqsBatcher(clock, deleteBatch);
    this.#aheadDeletes = new SqsBatcher(clock, deleteBatch, () => 0, aheadDeleteWaitMs);
    this.#shortlyHidden = new ShortlyHidden(clock, (receipt, seconds) =>
      this.#visibilityChanges.add({ receipt, seconds }),
    );
  }

  /** @throws HoldfastError NOT_FOUND, reason QUEUE_UNKNOWN, if SQS has no queue of this name. */
  lookUp(signal: AbortSignal): Promise<void> {
    return this.#withUrl(async () => {}, signal);
  }

  approximateMessages(): Promise<number> {
    return this.#withUrl((url) => this.#calls.approximateMessages(url));
  }

  send(entry: SendEntry): Promise<true | HoldfastError> {
    return this.#sends.add(entry);
  }

  /**
   * Receives messages. With `isAhead` SQS hides them for 5 s only; those that are neither deleted, shown nor hidden by
   * then stay hidden for as long as others (shortly-hidden.ts).
   */
  async receive({ isAhead = false, ...request }: SqsReceiveRequest): Promise<Message[]> {
    if (!isAhead) return this.#withUrl((url) => this.#calls.receive(url, request));
    const hiddenSeconds = shortlyHiddenSeconds;
    const messages = await this.#withUrl((url) => this.#calls.receive(url, { ...request, hiddenSeconds }));
    this.#shortlyHidden.add(messages.map(({ ReceiptHandle }) => ReceiptHandle ?? ''));
    return messages;
  }

  changeVisibility(receipt: string, seconds: number): Promise<boolean> {
    this.#shortlyHidden.remove(receipt);
    return this.#visibilityChanges.add({ receipt, seconds });
  }

  delete(receipt: string): Promise<boolean> {
    const isAhead = this.#shortlyHidden.remove(receipt);
    return (isAhead ? this.#aheadDeletes : this.#deletes).add(receipt);
  }

  /** Stops to hide messages for longer that were received ahead. Called when the broker is closed. */
  close(): void {
    this.#shortlyHidden.close();
  }

  /**
   * Runs a call with the URL of the SQS queue. The URL is looked up once, and again if the look-up failed or a call
   * found no queue at the URL.
   */
  async #withUrl<T>(call: (url: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#url ??= this.#calls.queueUrl(this.name, signal);
    const url = this.#url;
    let found = false;
    try {
      const queueUrl = await url;
      found = true;
      return await call(queueUrl);
    } catch (thrown) {
      const error = asBrokerError(thrown);
      const missing = isMissingQueue(error.cause);
      if ((missing || !found) && this.#url === url) this.#url = undefined;
      throw missing ? noSqsQueue(this.queue, this.name, error.cause) : error;
    }
  }
}
