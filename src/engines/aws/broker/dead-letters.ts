import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Priority } from '../../../core/submission/submission.ts';
import type { DispatchMessage } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { DeadLetter, DeadLetters } from '../../../ports/dead-letters.ts';
import type { Log } from '../../../ports/log.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import type { Dependency } from '../load/dependency.ts';
import { InFlightTracker } from './in-flight.ts';
import { decodeMessage, deduplicationOf, encodeMessage, groupOf } from './message.ts';
import { receivedAtOnce } from './priority-level.ts';
import { enabledOf, levelOf, type PrioritiesOf } from './priority-levels.ts';
import { decodeReceiptHandle, encodeReceiptHandle } from './receipt-handle.ts';
import { SqsCalls } from './sqs/calls.ts';
import { sqsDeadQueueName } from './sqs/definition.ts';
import { asBrokerError } from './sqs/errors.ts';
import type { SqsMeter } from './sqs/meter.ts';
import { SqsQueue } from './sqs/queue.ts';

export interface SqsDeadLettersOptions {
  /** Of the bells, which it shares with them: client, meter, gate, names and levels. */
  readonly client: SQSClient;
  readonly meter: SqsMeter;
  readonly load: Dependency;
  readonly clock: Clock;
  readonly log: Log;
  readonly prefix: string;
  readonly prioritiesOf?: PrioritiesOf | undefined;
}

export interface SqsDeadLetters extends DeadLetters {
  /** Finishes what is under way. Idempotent. */
  close(): Promise<void>;
}

/** A short receive asks some of SQS's servers; one that waits asks all of them, so only that one finds a queue empty. */
const isIdle = [0, 1];
const never = new AbortController().signal;

/** The dead-letter queues that `createQueues` made, one a priority. */
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

  tell(deaths: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]> {
    return this.#inFlight.do(() => Promise.all(deaths.map((message) => this.#tellOne(message))));
  }

  receive(queue: QueueRef, most: number, hiddenMs: number): Promise<readonly DeadLetter[]> {
    return this.#inFlight.do(async () => {
      for (const waitSeconds of isIdle) {
        for (const priority of enabledOf(queue, this.#options.prioritiesOf)) {
          const found = await this.#receiveFrom(this.#queueAt(queue, priority), most, hiddenMs, waitSeconds);
          if (found.length > 0) return found;
        }
      }
      return [];
    });
  }

  drop(receiptHandles: readonly string[]): Promise<readonly boolean[]> {
    return this.#each(receiptHandles, (queue, receipt) => queue.delete(receipt));
  }

  giveBack(receiptHandles: readonly string[]): Promise<readonly boolean[]> {
    return this.#each(receiptHandles, (queue, receipt) => queue.changeVisibility(receipt, 0));
  }

  close(): Promise<void> {
    return this.#inFlight.close();
  }

  async #tellOne(message: DispatchMessage): Promise<true | HoldfastError> {
    const enabled = enabledOf(message.queue, this.#options.prioritiesOf);
    const queue = this.#queueAt(message.queue, levelOf(message.priority, enabled));
    const deduplication = deduplicationOf(message, this.#options.clock.now());
    try {
      return await queue.send({ body: encodeMessage(message), group: groupOf(message), deduplication });
    } catch (thrown) {
      return asBrokerError(thrown);
    }
  }

  /** Several calls at once, since one brings ten at most. What some brought is not lost for those that failed. */
  async #receiveFrom(
    queue: SqsQueue,
    most: number,
    hiddenMs: number,
    waitSeconds: number,
  ): Promise<DeadLetter[]> {
    const { clock } = this.#options;
    const hiddenSeconds = Math.ceil(hiddenMs / 1_000);
    const calls: Promise<Message[]>[] = [];
    for (let left = most; left > 0; left -= receivedAtOnce) {
      const asked = { most: Math.min(left, receivedAtOnce), attemptId: clock.uuid(), signal: never };
      calls.push(queue.receive({ ...asked, waitSeconds, hiddenSeconds }));
    }
    const nowMs = clock.now();
    const answers = await Promise.allSettled(calls);
    const messages = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (messages.length === 0 && failed !== undefined) throw failed.reason;
    return messages.map((message) => letterOf(message, queue, nowMs));
  }

  #each(
    receiptHandles: readonly string[],
    work: (queue: SqsQueue, receipt: string) => Promise<boolean>,
  ): Promise<readonly boolean[]> {
    const one = async (receiptHandle: string): Promise<boolean> => {
      const said = decodeReceiptHandle(receiptHandle);
      if (said === undefined) return false;
      try {
        return await work(this.#queueAt(said.queue, said.level), said.receipt);
      } catch (err) {
        this.#options.log.debug({ err, queue: said.queue.queue }, 'a dead letter was left as it is');
        return false;
      }
    };
    return this.#inFlight.do(() => Promise.all(receiptHandles.map(one)));
  }

  #queueAt(queue: QueueRef, priority: Priority): SqsQueue {
    const { prefix, clock } = this.#options;
    const name = sqsDeadQueueName(prefix, queue, priority);
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // Whoever submits or renews does not wait behind notices.
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
