import type { SQSClient } from '@aws-sdk/client-sqs';
import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { Priority } from '../../../core/priority.ts';
import { type QueueRef, queueKey } from '../../../core/queue-ref.ts';
import type { Broker, Delivery, DispatchMessage, ReceiveRequest } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import { type Log, silentLog } from '../../../ports/log.ts';
import { Dependency } from '../load/dependency.ts';
import { InFlightTracker } from './in-flight.ts';
import { deduplicationOf, encodeMessage, groupOf } from './message.ts';
import { PriorityLevel } from './priority-level.ts';
import { enabledPriorities, levelOf, type PrioritiesOf, PriorityRotation } from './priority-levels.ts';
import { type PollerContext, QueuePoller } from './queue-poller.ts';
import { decodeReceiptHandle } from './receipt-handle.ts';
import { Receiver } from './receiver.ts';
import { SqsCalls } from './sqs/calls.ts';
import { type NameForm, sqsQueueName } from './sqs/definition.ts';
import { asBrokerError } from './sqs/errors.ts';
import { lookUpAll, type MissingQueue, type RegisteredQueue } from './sqs/look-up.ts';
import { SqsMeter } from './sqs/meter.ts';
import { SqsQueue } from './sqs/queue.ts';

/**
 * The longest time in ms for which SQS hides a message, counted from its receive: 12 h, less 5 s since clocks differ.
 */
const longestHiddenMs = 12 * 60 * 60_000 - 5_000;
const defaultQuietAfterMs = 15 * 60_000;

export interface SqsBrokerOptions {
  /** An SQS client made by `sqsClient`, which configures the retries. The caller closes the client. */
  readonly client: SQSClient;
  readonly clock: Clock;
  /** The log of failed calls to SQS and of unreadable messages. Default: no log. */
  readonly log?: Log | undefined;
  /** The prefix of the SQS queue names, the same as for `sqsQueuesOf`. */
  readonly prefix: string;
  /**
   * Returns the priorities for which a queue has an SQS queue. A message of any other priority goes to the SQS queue
   * of the nearest priority. Default: `normal` alone, since each SQS queue is polled separately.
   */
  readonly prioritiesOf?: PrioritiesOf | undefined;
  /** Returns the form of the names of a queue's SQS queues. Default: that of new installations. */
  readonly nameFormOf?: ((queue: QueueRef) => NameForm) | undefined;
  /**
   * The time in ms without a message after which a queue of several priorities is polled one priority at a time. The
   * queue then costs no more calls than a queue of one priority, but its next message may be received 20 s later for
   * each further priority, unless this process sends that message. `Infinity` keeps the queue in normal polling.
   * Default: 15 minutes.
   */
  readonly quietAfterMs?: number | undefined;
  /** The load of SQS, which `instrument` records from the client's requests. Default: not recorded. */
  readonly load?: Dependency | undefined;
  /**
   * The load of the DynamoDB table. SQS is polled less often while the table cannot take more task claims. Default:
   * polls never slow down.
   */
  readonly table?: Dependency | undefined;
}

export interface SqsBroker extends Broker {
  readonly meter: SqsMeter;
  /**
   * Looks up the SQS queues of these Holdfast queues and calls `onMissing` for each SQS queue that does not exist.
   * Stops early, without an error, if the broker is closed meanwhile.
   *
   * @throws HoldfastError UNAVAILABLE if SQS does not answer or refuses this process's credentials.
   */
  lookUp(queues: readonly RegisteredQueue[], onMissing: (queue: MissingQueue) => void): Promise<void>;
  /**
   * Closes the broker: waiting receive calls return an empty list, calls in flight are finished, and buffered
   * deliveries become visible in SQS again. Idempotent.
   */
  close(): Promise<void>;
}

/** Creates a broker on SQS FIFO queues that `createQueues` made. */
export function createSqsBroker(options: SqsBrokerOptions): SqsBroker {
  return new BrokerOnSqs(options);
}

class BrokerOnSqs implements SqsBroker {
  readonly meter = new SqsMeter();
  readonly #options: SqsBrokerOptions;
  readonly #calls: SqsCalls;
  readonly #context: PollerContext;
  readonly #queues = new Map<string, SqsQueue>();
  readonly #pollers = new Map<string, QueuePoller>();
  readonly #receiver: Receiver;
  readonly #inFlight = new InFlightTracker();

  constructor(options: SqsBrokerOptions) {
    const { client, clock, log = silentLog, quietAfterMs = defaultQuietAfterMs, table } = options;
    const { load = new Dependency('queues', clock, log) } = options;
    this.#options = options;
    this.#calls = new SqsCalls(client, this.meter, load.limiter);
    const { closing } = this.#inFlight;
    this.#context = { clock, log, rotation: new PriorityRotation(), closing, quietAfterMs, table };
    this.#receiver = new Receiver(this.#context, (queue) => this.#pollerOf(queue));
  }

  send(messages: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]> {
    return this.#inFlight.run(() => Promise.all(messages.map((message) => this.#dispatchOne(message))));
  }

  lookUp(queues: readonly RegisteredQueue[], onMissing: (queue: MissingQueue) => void): Promise<void> {
    const all = queues.flatMap(({ tenant, queue, priorities = [] }) =>
      enabledPriorities({ tenant, queue }, () => priorities).map((level) =>
        this.#sqsQueueOf({ tenant, queue }, level),
      ),
    );
    return this.#inFlight.run(() => lookUpAll(all, onMissing, this.#inFlight.closing));
  }

  receive(queues: readonly QueueRef[], request: ReceiveRequest): Promise<readonly Delivery[]> {
    return this.#receiver.receive(queues, request);
  }

  changeVisibility(
    changes: readonly { readonly receiptHandle: string; readonly ms: number }[],
    expectedQueue?: QueueRef,
  ): Promise<readonly boolean[]> {
    return this.#inFlight.run(() =>
      Promise.all(
        changes.map(({ receiptHandle, ms }) => this.#changeVisibilityOfOne(receiptHandle, ms, expectedQueue)),
      ),
    );
  }

  delete(receiptHandles: readonly string[], expectedQueue?: QueueRef): Promise<readonly boolean[]> {
    return this.#inFlight.run(() =>
      Promise.all(
        receiptHandles.map((receiptHandle) =>
          this.#useReceipt(receiptHandle, expectedQueue, (queue, receipt) => queue.delete(receipt)),
        ),
      ),
    );
  }

  async approximateMessages(queue: QueueRef): Promise<number> {
    const levels = this.#enabled(queue).map((level) => this.#sqsQueueOf(queue, level).approximateMessages());
    const counts = await this.#inFlight.run(() => Promise.all(levels));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  stopReceiving(): void {
    this.#inFlight.stopReceiving(() => this.#returnBuffered());
  }

  async close(): Promise<void> {
    await this.#inFlight.close(() => this.#returnBuffered());
    for (const queue of this.#queues.values()) queue.close();
  }

  #returnBuffered(): void {
    for (const { levels } of this.#pollers.values()) {
      for (const level of levels.values()) this.#inFlight.track(level.returnBuffered());
    }
  }

  async #dispatchOne(message: DispatchMessage): Promise<true | HoldfastError> {
    const queue = this.#sqsQueueOf(message.queue, levelOf(message.priority, this.#enabled(message.queue)));
    const deduplication = deduplicationOf(message, this.#options.clock.now());
    try {
      const sent = await queue.send({ body: encodeMessage(message), group: groupOf(message), deduplication });
      if (sent === true) this.#pollers.get(queueKey(message.queue))?.wake();
      return sent;
    } catch (thrown) {
      return asBrokerError(thrown);
    }
  }

  #changeVisibilityOfOne(
    receiptHandle: string,
    ms: number,
    expectedQueue: QueueRef | undefined,
  ): Promise<boolean> {
    return this.#useReceipt(receiptHandle, expectedQueue, (queue, receipt, receivedAtMs) => {
      const leftMs = longestHiddenMs - (this.#options.clock.now() - receivedAtMs);
      return queue.changeVisibility(receipt, Math.ceil(Math.max(0, Math.min(ms, leftMs)) / 1_000));
    });
  }

  /**
   * Runs a call to SQS for the message that a receipt handle names. Returns false if the call fails or the receipt
   * handle is stale: the message becomes visible again by itself.
   */
  async #useReceipt(
    receiptHandle: string,
    expectedQueue: QueueRef | undefined,
    work: (queue: SqsQueue, receipt: string, receivedAtMs: number) => Promise<boolean>,
  ): Promise<boolean> {
    const parsed = decodeReceiptHandle(receiptHandle);
    if (
      parsed === undefined ||
      (expectedQueue !== undefined && queueKey(expectedQueue) !== queueKey(parsed.queue))
    )
      return false;
    const queue = this.#sqsQueueOf(parsed.queue, parsed.level);
    try {
      return await work(queue, parsed.receipt, parsed.receivedAtMs);
    } catch (err) {
      this.#context.log.warn(
        { err, queue: parsed.queue.queue },
        'could not change or delete a message; the message reappears when its visibility timeout ends',
      );
      // A caller can invent a receipt handle, so the map of SQS queues must not keep a queue that does not exist.
      if (asHoldfastError(err).reason === 'QUEUE_UNKNOWN') this.#queues.delete(levelName(queue));
      return false;
    }
  }

  #enabled(queue: QueueRef): readonly Priority[] {
    return enabledPriorities(queue, this.#options.prioritiesOf);
  }

  #sqsQueueOf(queue: QueueRef, priority: Priority): SqsQueue {
    const name = levelName({ queue, priority });
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const { clock, prefix, nameFormOf } = this.#options;
    const address = { queue, priority, name: sqsQueueName(prefix, queue, priority, nameFormOf?.(queue)) };
    const made = new SqsQueue(this.#calls, clock, address);
    this.#queues.set(name, made);
    return made;
  }

  #pollerOf(queue: QueueRef): QueuePoller {
    const name = queueKey(queue);
    const known = this.#pollers.get(name);
    if (known !== undefined) return known;
    const { clock, log } = this.#context;
    const levels = new Map<Priority, PriorityLevel>();
    for (const priority of this.#enabled(queue)) {
      levels.set(priority, new PriorityLevel(this.#sqsQueueOf(queue, priority), clock, log, this.#inFlight));
    }
    const poller = new QueuePoller(levels, this.#context);
    this.#pollers.set(name, poller);
    return poller;
  }
}

function levelName({ queue, priority }: { readonly queue: QueueRef; readonly priority: Priority }): string {
  return `${queueKey(queue)}/${priority}`;
}
