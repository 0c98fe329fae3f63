import type { SQSClient } from '@aws-sdk/client-sqs';
import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import type { Priority } from '../../../core/submission/submission.ts';
import type { Broker, Delivery, DispatchMessage, Want } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';
import { type Log, silentLog } from '../../../ports/log.ts';
import type { QueueRef } from '../../../ports/task-store.ts';
import { Dependency } from '../load/dependency.ts';
import { InFlightTracker } from './in-flight.ts';
import { deduplicationOf, encodeMessage, groupOf } from './message.ts';
import { PriorityLevel } from './priority-level.ts';
import { enabledOf, levelOf, type PrioritiesOf, PriorityRotation } from './priority-levels.ts';
import { type PollerContext, QueuePoller } from './queue-poller.ts';
import { decodeReceiptHandle } from './receipt-handle.ts';
import { Receiver } from './receiver.ts';
import { SqsCalls } from './sqs/calls.ts';
import { sqsQueueName } from './sqs/definition.ts';
import { asBrokerError } from './sqs/errors.ts';
import { lookUpAll, type MissingQueue, type RegisteredQueue } from './sqs/look-up.ts';
import { SqsMeter } from './sqs/meter.ts';
import { SqsQueue } from './sqs/queue.ts';

/** SQS hides a message for 12 h in all from its receipt on; a little less, since clocks differ. */
const longestHiddenMs = 12 * 60 * 60_000 - 5_000;
const defaultQuietAfterMs = 15 * 60_000;

export interface SqsBrokerOptions {
  /** Of `sqsClient`, which retries as it should. The bells do not close it. */
  readonly client: SQSClient;
  readonly clock: Clock;
  /** Default: none. */
  readonly log?: Log | undefined;
  /** What the names of the SQS queues begin with, as with `createQueues`. */
  readonly prefix: string;
  /**
   * The priorities that a queue has an SQS queue for; a ring of any other falls to the nearest. Default: `normal`
   * alone, since each is polled for itself.
   */
  readonly prioritiesOf?: PrioritiesOf | undefined;
  /**
   * A queue of several priorities that was silent for so long, in ms, is polled one priority at a time, so that it
   * costs no more than a queue of one. The first bell after that may then be heard 20 s later for each further
   * priority, unless this process rings it. `Infinity` never does so. Default: 15 minutes.
   */
  readonly quietAfterMs?: number | undefined;
  /** How it goes with SQS, as `watched` tells it of the client's requests. Default: nobody tells. */
  readonly load?: Dependency | undefined;
  /** The table, on which bells are claimed: queues are asked for no more than it takes. Default: unknown. */
  readonly table?: Dependency | undefined;
}

export interface SqsBroker extends Broker {
  readonly meter: SqsMeter;
  /**
   * Looks for the SQS queues of these and tells of those that are not there. Nothing where it is closed meanwhile.
   *
   * @throws HoldfastError UNAVAILABLE: SQS does not answer, or not to this process.
   */
  lookUp(queues: readonly RegisteredQueue[], missing: (queue: MissingQueue) => void): Promise<void>;
  /** Ends every wait with nothing, finishes what is under way, gives back what nobody took. Idempotent. */
  close(): Promise<void>;
}

/** Bells on SQS FIFO queues, which `createQueues` made. */
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
    return this.#inFlight.do(() => Promise.all(messages.map((message) => this.#dispatchOne(message))));
  }

  lookUp(queues: readonly RegisteredQueue[], missing: (queue: MissingQueue) => void): Promise<void> {
    const all = queues.flatMap(({ tenant, queue, priorities = [] }) =>
      enabledOf({ tenant, queue }, () => priorities).map((level) => this.#queueAt({ tenant, queue }, level)),
    );
    return this.#inFlight.do(() => lookUpAll(all, missing, this.#inFlight.closing));
  }

  receive(queues: readonly QueueRef[], want: Want): Promise<readonly Delivery[]> {
    return this.#receiver.receive(queues, want);
  }

  changeVisibility(
    changes: readonly { readonly receiptHandle: string; readonly ms: number }[],
    of?: QueueRef,
  ): Promise<readonly boolean[]> {
    return this.#inFlight.do(() =>
      Promise.all(changes.map(({ receiptHandle, ms }) => this.#changeVisibilityOfOne(receiptHandle, ms, of))),
    );
  }

  delete(receiptHandles: readonly string[], of?: QueueRef): Promise<readonly boolean[]> {
    return this.#inFlight.do(() =>
      Promise.all(
        receiptHandles.map((receiptHandle) =>
          this.#by(receiptHandle, of, (queue, receipt) => queue.delete(receipt)),
        ),
      ),
    );
  }

  close(): Promise<void> {
    return this.#inFlight.close(() => {
      for (const { levels } of this.#pollers.values()) {
        for (const level of levels.values()) this.#inFlight.track(level.returnBuffered());
      }
    });
  }

  async #dispatchOne(message: DispatchMessage): Promise<true | HoldfastError> {
    const queue = this.#queueAt(message.queue, levelOf(message.priority, this.#enabled(message.queue)));
    const deduplication = deduplicationOf(message, this.#options.clock.now());
    try {
      const sent = await queue.send({ body: encodeMessage(message), group: groupOf(message), deduplication });
      if (sent === true) this.#pollers.get(nameOf(message.queue))?.wake();
      return sent;
    } catch (thrown) {
      return asBrokerError(thrown);
    }
  }

  #changeVisibilityOfOne(receiptHandle: string, ms: number, of: QueueRef | undefined): Promise<boolean> {
    return this.#by(receiptHandle, of, (queue, receipt, receivedAtMs) => {
      const leftMs = longestHiddenMs - (this.#options.clock.now() - receivedAtMs);
      return queue.changeVisibility(receipt, Math.ceil(Math.max(0, Math.min(ms, leftMs)) / 1_000));
    });
  }

  /** Does something by a handle. Where SQS does not answer it is as with a stale one: the bell comes back. */
  async #by(
    receiptHandle: string,
    of: QueueRef | undefined,
    work: (queue: SqsQueue, receipt: string, receivedAtMs: number) => Promise<boolean>,
  ): Promise<boolean> {
    const said = decodeReceiptHandle(receiptHandle);
    if (said === undefined || (of !== undefined && nameOf(of) !== nameOf(said.queue))) return false;
    const queue = this.#queueAt(said.queue, said.level);
    try {
      return await work(queue, said.receipt, said.receivedAtMs);
    } catch (err) {
      this.#context.log.warn(
        { err, queue: said.queue.queue },
        'a bell was left as it is; it comes back by itself',
      );
      // Anybody can make up a handle; what it names and is not there is not kept.
      if (asHoldfastError(err).reason === 'QUEUE_UNKNOWN') this.#queues.delete(levelName(queue));
      return false;
    }
  }

  #enabled(queue: QueueRef): readonly Priority[] {
    return enabledOf(queue, this.#options.prioritiesOf);
  }

  #queueAt(queue: QueueRef, priority: Priority): SqsQueue {
    const name = levelName({ queue, priority });
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const { clock, prefix } = this.#options;
    const at = { queue, priority, name: sqsQueueName(prefix, queue, priority) };
    const made = new SqsQueue(this.#calls, clock, at);
    this.#queues.set(name, made);
    return made;
  }

  #pollerOf(queue: QueueRef): QueuePoller {
    const name = nameOf(queue);
    const known = this.#pollers.get(name);
    if (known !== undefined) return known;
    const { clock, log } = this.#context;
    const levels = new Map<Priority, PriorityLevel>();
    for (const priority of this.#enabled(queue)) {
      levels.set(priority, new PriorityLevel(this.#queueAt(queue, priority), clock, log, this.#inFlight));
    }
    const poller = new QueuePoller(levels, this.#context);
    this.#pollers.set(name, poller);
    return poller;
  }
}

function nameOf({ tenant, queue }: QueueRef): string {
  return `${tenant}/${queue}`;
}

function levelName({ queue, priority }: { readonly queue: QueueRef; readonly priority: Priority }): string {
  return `${nameOf(queue)}/${priority}`;
}
