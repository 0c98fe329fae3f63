import type { Message } from '@aws-sdk/client-sqs';
import type { HoldfastError } from '../../../../core/errors.ts';
import type { Priority } from '../../../../core/submission/submission.ts';
import type { Clock } from '../../../../ports/clock.ts';
import type { QueueRef } from '../../../../ports/task-store.ts';
import type { CallPriority } from '../../load/concurrency-limiter.ts';
import { SqsBatcher } from './batcher.ts';
import type { Receiving, Sending, SqsCalls } from './calls.ts';
import { asBrokerError, isMissingQueue, noSqsQueue } from './errors.ts';

export interface SqsQueueAt {
  readonly queue: QueueRef;
  readonly priority: Priority;
  /** On SQS. */
  readonly name: string;
  /** What is sent to it waits for this turn. Default: `submit`. */
  readonly callPriority?: CallPriority | undefined;
}

/** An SQS queue of one Holdfast queue and priority. What is sent, hidden or deleted within one turn shares its calls. */
export class SqsQueue {
  readonly queue: QueueRef;
  readonly priority: Priority;
  readonly name: string;
  readonly #calls: SqsCalls;
  readonly #sends: SqsBatcher<Sending, true | HoldfastError>;
  readonly #visibilityChanges: SqsBatcher<{ receipt: string; seconds: number }, boolean>;
  readonly #deletes: SqsBatcher<string, boolean>;
  #url: Promise<string> | undefined;

  constructor(calls: SqsCalls, clock: Clock, { queue, priority, name, callPriority }: SqsQueueAt) {
    this.queue = queue;
    this.priority = priority;
    this.name = name;
    this.#calls = calls;
    this.#sends = new SqsBatcher(
      clock,
      (batch) => this.#at((url) => calls.send(url, batch, callPriority)),
      ({ body, group, deduplication }) => Buffer.byteLength(body) + group.length + deduplication.length,
    );
    this.#visibilityChanges = new SqsBatcher(clock, (batch) =>
      this.#at((url) => calls.changeVisibility(url, batch)),
    );
    this.#deletes = new SqsBatcher(clock, (batch) => this.#at((url) => calls.delete(url, batch)));
  }

  /** @throws HoldfastError NOT_FOUND, reason QUEUE_UNKNOWN: SQS has none of this name. */
  lookUp(signal: AbortSignal): Promise<void> {
    return this.#at(async () => {}, signal);
  }

  send(sending: Sending): Promise<true | HoldfastError> {
    return this.#sends.add(sending);
  }

  receive(receiving: Receiving): Promise<Message[]> {
    return this.#at((url) => this.#calls.receive(url, receiving));
  }

  changeVisibility(receipt: string, seconds: number): Promise<boolean> {
    return this.#visibilityChanges.add({ receipt, seconds });
  }

  delete(receipt: string): Promise<boolean> {
    return this.#deletes.add(receipt);
  }

  /** Looked up once; again after it failed or was gone. */
  async #at<T>(call: (url: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#url ??= this.#calls.url(this.name, signal);
    const url = this.#url;
    let found = false;
    try {
      const at = await url;
      found = true;
      return await call(at);
    } catch (thrown) {
      const error = asBrokerError(thrown);
      const missing = isMissingQueue(error.cause);
      if ((missing || !found) && this.#url === url) this.#url = undefined;
      throw missing ? noSqsQueue(this.queue, this.name, error.cause) : error;
    }
  }
}
