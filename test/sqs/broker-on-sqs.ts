import type { Priority } from '../../src/core/priority.ts';
import {
  createSqsBroker,
  type SqsBroker,
  type SqsBrokerOptions,
} from '../../src/engines/aws/broker/broker.ts';
import { closeGraceMs } from '../../src/engines/aws/broker/priority-level.ts';
import { createQueues } from '../../src/engines/aws/broker/sqs/create.ts';
import { sqsQueueName, sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import type { Delivery, DispatchMessage, ReceiveRequest } from '../../src/ports/broker.ts';
import type { Log, LogFields } from '../../src/ports/log.ts';
import type { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';
import { standInClock } from '../stand-ins/stand-in-clock.ts';

export const mail = { tenant: 'acme', queue: 'mail' };

let sites = 0;

/**
 * Closes an SQS broker, and advances the virtual clock by the time for which open polls may continue after the close.
 */
export async function closeBroker(broker: SqsBroker, clock: VirtualClock): Promise<void> {
  const closed = broker.close();
  await clock.advance(closeGraceMs);
  await closed;
}

/**
 * The SQS queues of one test on a stand-in for SQS. `open` can be called several times: each broker is like another
 * process.
 */
export class Site {
  readonly clock: VirtualClock;
  readonly client;
  readonly prefix = `site${++sites}`;
  readonly warnings: (LogFields & { readonly message: string })[] = [];
  readonly standIn: SqsStandIn;
  readonly closing = new AbortController();
  readonly enabled: readonly Priority[];
  readonly #opened: SqsBroker[] = [];

  constructor(standIn: SqsStandIn, enabled: readonly Priority[] = ['normal']) {
    this.standIn = standIn;
    this.enabled = enabled;
    this.clock = standInClock(standIn);
    this.client = standInClient(standIn.endpoint);
  }

  /** Opens an SQS broker. The first `open` also creates the SQS queues of the Holdfast queues in `queues`. */
  async open(options: Partial<SqsBrokerOptions> = {}, queues = [mail]): Promise<SqsBroker> {
    const definitions = queues.flatMap((queue) => sqsQueuesOf(this.prefix, queue, this.enabled));
    if (this.#opened.length === 0) await createQueues(this.client, definitions);
    this.front.forget();
    const log: Log = {
      debug() {},
      info() {},
      warn: (fields, message) => void this.warnings.push({ ...fields, message }),
      error() {},
    };
    const { client, clock, prefix } = this;
    const broker = createSqsBroker({
      client,
      clock,
      prefix,
      log,
      prioritiesOf: () => this.enabled,
      ...options,
    });
    this.#opened.push(broker);
    const close = async (): Promise<void> => closeBroker(broker, this.clock);
    return new Proxy(broker, {
      get(of, name) {
        if (name === 'close') return close;
        const value = Reflect.get(of, name) as unknown;
        return typeof value === 'function' ? value.bind(of) : value;
      },
    });
  }

  get front(): SqsStandIn['front'] {
    return this.standIn.front;
  }

  name(priority: Priority = 'normal'): string {
    return sqsQueueName(this.prefix, mail, priority);
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const fault of Object.keys(this.front.faults)) delete this.front.faults[fault as 'call'];
    await Promise.all(this.#opened.map((broker) => closeBroker(broker, this.clock)));
    this.client.destroy();
  }
}

export function message(id: string, more: Partial<DispatchMessage> = {}): DispatchMessage {
  const fresh = { queue: mail, priority: 'normal', type: 'send', typeVersion: 1, version: 1 } as const;
  return { id, reason: 'submit', ...fresh, ...more };
}

export function messages(count: number, more: Partial<DispatchMessage> = {}): DispatchMessage[] {
  return Array.from({ length: count }, (_, i) => message(`task-${i}`, more));
}

export function want(more: Partial<ReceiveRequest> & { tasks?: number } = {}): ReceiveRequest {
  const { tasks = 10 } = more;
  return {
    types: [{ type: 'send', maxVersion: 1 }],
    room: () => ({ tasks, bytes: 1_000_000 }),
    waitMs: 0,
    signal: new AbortController().signal,
    ...more,
  };
}

export const idsOf = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map((delivery) => delivery.message.id);
