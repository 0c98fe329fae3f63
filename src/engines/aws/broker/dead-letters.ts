import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Priority } from '../../../core/submission/submission.ts';
import type { Ring } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { DeadLetter, DeadLetters } from '../../../ports/dead-letters.ts';
import type { Log } from '../../../ports/log.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import type { Dependency } from '../load/dependency.ts';
import { UnderWay } from './in-flight.ts';
import { decodeRing, deduplicationOf, encodeRing, groupOf } from './message.ts';
import { receivedAtOnce } from './priority-level.ts';
import { enabledOf, levelOf, type PrioritiesOf } from './priority-levels.ts';
import { decodeHandle, encodeHandle } from './receipt-handle.ts';
import { SqsCalls } from './sqs/calls.ts';
import { sqsDeadQueueName } from './sqs/definition.ts';
import { asBellError } from './sqs/errors.ts';
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
const waits = [0, 1];
const never = new AbortController().signal;

/** The dead-letter queues that `createQueues` made, one a priority. */
export function createSqsDeadLetters(options: SqsDeadLettersOptions): SqsDeadLetters {
  return new DeadLettersOnSqs(options);
}

class DeadLettersOnSqs implements SqsDeadLetters {
  readonly #options: SqsDeadLettersOptions;
  readonly #calls: SqsCalls;
  readonly #queues = new Map<string, SqsQueue>();
  readonly #underWay = new UnderWay();

  constructor(options: SqsDeadLettersOptions) {
    const { client, meter, load } = options;
    this.#options = options;
    this.#calls = new SqsCalls(client, meter, load.gate);
  }

  tell(deaths: readonly Ring[]): Promise<readonly (true | HoldfastError)[]> {
    return this.#underWay.do(() => Promise.all(deaths.map((ring) => this.#tellOne(ring))));
  }

  receive(queue: QueueRef, most: number, hiddenMs: number): Promise<readonly DeadLetter[]> {
    return this.#underWay.do(async () => {
      for (const waitSeconds of waits) {
        for (const priority of enabledOf(queue, this.#options.prioritiesOf)) {
          const found = await this.#receiveFrom(this.#queueAt(queue, priority), most, hiddenMs, waitSeconds);
          if (found.length > 0) return found;
        }
      }
      return [];
    });
  }

  drop(handles: readonly string[]): Promise<readonly boolean[]> {
    return this.#each(handles, (queue, receipt) => queue.delete(receipt));
  }

  giveBack(handles: readonly string[]): Promise<readonly boolean[]> {
    return this.#each(handles, (queue, receipt) => queue.hide(receipt, 0));
  }

  close(): Promise<void> {
    return this.#underWay.close();
  }

  async #tellOne(ring: Ring): Promise<true | HoldfastError> {
    const enabled = enabledOf(ring.queue, this.#options.prioritiesOf);
    const queue = this.#queueAt(ring.queue, levelOf(ring.priority, enabled));
    const deduplication = deduplicationOf(ring, this.#options.clock.now());
    try {
      return await queue.send({ body: encodeRing(ring), group: groupOf(ring), deduplication });
    } catch (thrown) {
      return asBellError(thrown);
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
    handles: readonly string[],
    work: (queue: SqsQueue, receipt: string) => Promise<boolean>,
  ): Promise<readonly boolean[]> {
    const one = async (handle: string): Promise<boolean> => {
      const said = decodeHandle(handle);
      if (said === undefined) return false;
      try {
        return await work(this.#queueAt(said.queue, said.level), said.receipt);
      } catch (err) {
        this.#options.log.debug({ err, queue: said.queue.queue }, 'a dead letter was left as it is');
        return false;
      }
    };
    return this.#underWay.do(() => Promise.all(handles.map(one)));
  }

  #queueAt(queue: QueueRef, priority: Priority): SqsQueue {
    const { prefix, clock } = this.#options;
    const name = sqsDeadQueueName(prefix, queue, priority);
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // Whoever submits or renews does not wait behind notices.
    const made = new SqsQueue(this.#calls, clock, { queue, priority, name, urgency: 'background' });
    this.#queues.set(name, made);
    return made;
  }
}

function letterOf(message: Message, { queue, priority: level }: SqsQueue, receivedAtMs: number): DeadLetter {
  const { Body = '', MessageId = '', ReceiptHandle: receipt = '', Attributes } = message;
  return {
    ring: decodeRing(Body, queue),
    handle: encodeHandle({ queue, level, receivedAtMs, receipt }),
    messageId: MessageId,
    sentAtMs: Number(Attributes?.SentTimestamp ?? receivedAtMs),
  };
}
