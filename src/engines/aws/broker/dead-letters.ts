import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Priority } from '../../../core/priority.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';
import type { DispatchMessage } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { DeadLetter, DeadLetters } from '../../../ports/dead-letters.ts';
import type { Log } from '../../../ports/log.ts';
import type { Dependency } from '../load/dependency.ts';
import { InFlightTracker } from './in-flight.ts';
import { decodeMessage, deduplicationOf, encodeMessage, groupOf } from './message.ts';
import { messagesPerReceive } from './priority-level.ts';
import { enabledPriorities, levelOf, type PrioritiesOf } from './priority-levels.ts';
import { decodeReceiptHandle, encodeReceiptHandle } from './receipt-handle.ts';
import { SqsCalls } from './sqs/calls.ts';
import { type NameForm, sqsDeadQueueName } from './sqs/definition.ts';
import { asBrokerError } from './sqs/errors.ts';
import type { SqsMeter } from './sqs/meter.ts';
import { SqsQueue } from './sqs/queue.ts';

export interface SqsDeadLettersOptions {
  /**
   * The SQS client of the broker. The meter, load, prefix, form of names and priorities in these options must be those of the broker
   * too.
   */
  readonly client: SQSClient;
  readonly meter: SqsMeter;
  readonly load: Dependency;
  readonly clock: Clock;
  readonly log: Log;
  readonly prefix: string;
  readonly prioritiesOf?: PrioritiesOf | undefined;
  readonly nameFormOf?: ((queue: QueueRef) => NameForm) | undefined;
}

export interface SqsDeadLetters extends DeadLetters {
  /** Rejects new calls and waits for calls in flight. Idempotent. */
  close(): Promise<void>;
}

/**
 * The wait times of the two rounds in which dead-letter queues are polled, in seconds. A short poll queries only some
 * servers of SQS; a poll with a wait time queries all of them, so only the second round proves that a queue is empty.
 */
const pollWaitSeconds = [0, 1];
const neverAborted = new AbortController().signal;

/** Opens the SQS dead-letter queues that `createQueues` made, one per priority. */
export function createSqsDeadLetters(options: SqsDeadLettersOptions): SqsDeadLetters {
  return new DeadLettersOnSqs(options);
}

class DeadLettersOnSqs implements SqsDeadLetters {
  readonly #options: SqsDeadLettersOptions;
  readonly #calls: SqsCalls;
  readonly #queues = new Map<string, SqsQueue>();
  readonly #inFlight = new InFlightTracker();

  constructor(options: SqsDeadLettersOptions) {
    const { client, meter, load } = options;
    this.#options = options;
    this.#calls = new SqsCalls(client, meter, load.limiter);
  }

  publish(deaths: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]> {
    return this.#inFlight.run(() => Promise.all(deaths.map((message) => this.#publishNotice(message))));
  }

  receive(queue: QueueRef, most: number, hiddenMs: number): Promise<readonly DeadLetter[]> {
    return this.#inFlight.run(async () => {
      for (const waitSeconds of pollWaitSeconds) {
        for (const priority of enabledPriorities(queue, this.#options.prioritiesOf)) {
          const found = await this.#receiveFrom(
            this.#sqsQueueOf(queue, priority),
            most,
            hiddenMs,
            waitSeconds,
          );
          if (found.length > 0) return found;
        }
      }
      return [];
    });
  }

  delete(receiptHandles: readonly string[]): Promise<readonly boolean[]> {
    return this.#useReceipts(receiptHandles, (queue, receipt) => queue.delete(receipt));
  }

  makeVisible(receiptHandles: readonly string[]): Promise<readonly boolean[]> {
    return this.#useReceipts(receiptHandles, (queue, receipt) => queue.changeVisibility(receipt, 0));
  }

  close(): Promise<void> {
    return this.#inFlight.close();
  }

  async #publishNotice(message: DispatchMessage): Promise<true | HoldfastError> {
    const enabled = enabledPriorities(message.queue, this.#options.prioritiesOf);
    const queue = this.#sqsQueueOf(message.queue, levelOf(message.priority, enabled));
    const deduplication = deduplicationOf(message, this.#options.clock.now());
    try {
      return await queue.send({ body: encodeMessage(message), group: groupOf(message), deduplication });
    } catch (thrown) {
      return asBrokerError(thrown);
    }
  }

  /**
   * Receives dead letters with several concurrent ReceiveMessage calls, since one call returns ten messages at most.
   * Fails only if no call returned a message; otherwise the messages of the successful calls would stay hidden.
   */
  async #receiveFrom(
    queue: SqsQueue,
    most: number,
    hiddenMs: number,
    waitSeconds: number,
  ): Promise<DeadLetter[]> {
    const { clock } = this.#options;
    const hiddenSeconds = Math.ceil(hiddenMs / 1_000);
    const calls: Promise<Message[]>[] = [];
    for (let left = most; left > 0; left -= messagesPerReceive) {
      const request = {
        most: Math.min(left, messagesPerReceive),
        attemptId: clock.uuid(),
        signal: neverAborted,
      };
      calls.push(queue.receive({ ...request, waitSeconds, hiddenSeconds }));
    }
    const nowMs = clock.now();
    const answers = await Promise.allSettled(calls);
    const messages = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (messages.length === 0 && failed !== undefined) throw failed.reason;
    return messages.map((message) => letterOf(message, queue, nowMs));
  }

  #useReceipts(
    receiptHandles: readonly string[],
    work: (queue: SqsQueue, receipt: string) => Promise<boolean>,
  ): Promise<readonly boolean[]> {
    const one = async (receiptHandle: string): Promise<boolean> => {
      const parsed = decodeReceiptHandle(receiptHandle);
      if (parsed === undefined) return false;
      try {
        return await work(this.#sqsQueueOf(parsed.queue, parsed.level), parsed.receipt);
      } catch (err) {
        this.#options.log.debug(
          { err, queue: parsed.queue.queue },
          'could not release or delete a dead letter; it reappears in the dead-letter queue when its visibility timeout ends',
        );
        return false;
      }
    };
    return this.#inFlight.run(() => Promise.all(receiptHandles.map(one)));
  }

  #sqsQueueOf(queue: QueueRef, priority: Priority): SqsQueue {
    const { prefix, clock, nameFormOf } = this.#options;
    const name = sqsDeadQueueName(prefix, queue, priority, nameFormOf?.(queue));
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // Calls for dead-letter notices wait behind calls for submissions and lease renewals.
    const made = new SqsQueue(this.#calls, clock, { queue, priority, name, callPriority: 'background' });
    this.#queues.set(name, made);
    return made;
  }
}

function letterOf(message: Message, { queue, priority: level }: SqsQueue, receivedAtMs: number): DeadLetter {
  const { Body = '', MessageId = '', ReceiptHandle: receipt = '', Attributes } = message;
  return {
    message: decodeMessage(Body, queue),
    receiptHandle: encodeReceiptHandle({ queue, level, receivedAtMs, receipt }),
    messageId: MessageId,
    sentAtMs: Number(Attributes?.SentTimestamp ?? receivedAtMs),
  };
}
