import type { QueueRef } from '../../src/core/queue-ref.ts';
import { type BrokerKind, brokerOf } from '../../src/engines/memory/broker/broker.ts';
import type { Operate } from '../../src/engines/memory/operate.ts';
import { laneOf, snapshotOf } from '../../src/engines/memory/rows.ts';
import { Tables } from '../../src/engines/memory/tables.ts';
import { taskStore } from '../../src/engines/memory/task-store.ts';
import type { Broker, Delivery, DispatchMessage } from '../../src/ports/broker.ts';
import type { Snapshot, TaskStore } from '../../src/ports/task-store.ts';
import { ExternalBroker } from '../../src/testing/external-broker.ts';
import { ManualClock } from './manual-clock.ts';

/** The Holdfast queue of all tasks in an exhaustive search. */
export const target: QueueRef = { tenant: 'acme', queue: 'q' };

/** A call of a method of the store or the broker. */
export interface PortCall {
  readonly port: 'store' | 'broker';
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The possible outcomes of sending a dispatch message. */
export const sendOutcomes = ['sent', 'doubled', 'lost', 'failed'] as const;
export type SendOutcome = (typeof sendOutcomes)[number];

/** The store and the broker that the node of an actor's script calls. */
export interface Ports {
  readonly store: TaskStore;
  readonly broker: Broker;
}

/** The value of `#answer` until a call has answered. */
const nothing = Symbol('nothing');

/** A message as the memory engine's external broker stores it. */
export type QueuedMessage =
  ReturnType<ExternalBroker['queues']['of']> extends { visible(nowMs: number): Generator<infer One> }
    ? One
    : never;

type Method = (...args: readonly unknown[]) => Promise<unknown>;

/** The memory engine with its external broker. Each call has its effect and its answer at one instant. */
export class ManualEngine {
  readonly #clock = new ManualClock();
  readonly #tables = new Tables({ dueShards: 1, now: () => this.#clock.nowMs, indexLagMs: () => 0 });
  readonly #externalBroker: ExternalBroker;
  readonly ports: Ports;
  /** The dispatch messages of the queue, in the order of the last change of each message. */
  readonly #messages = new Set<QueuedMessage>();
  /** The send time of each dispatch message that deduplication did not drop, by the message's identity. */
  readonly #sent = new Map<string, number>();
  #sendOutcome: SendOutcome = 'sent';
  #answer: unknown;

  constructor() {
    const faults = {
      send: () => this.#sendOutcome,
      deliveryDelayMs: (message: DispatchMessage) => this.#recordSend(message),
    };
    this.#externalBroker = new ExternalBroker(this.#clock, faults);
    const operate: Operate = async (_name, _items, effect) => {
      const answer = effect();
      this.#answer = answer;
      return answer;
    };
    const parts = {
      tables: this.#tables,
      clock: this.#clock,
      faults,
      isExternal: true,
      dueShards: 1,
    } as const;
    const never = new AbortController().signal;
    const kind: BrokerKind = this.#externalBroker;
    this.ports = { store: taskStore(parts, operate), broker: brokerOf(kind, this.#clock, operate, never) };
  }

  /**
   * Makes a call of the store or the broker, with the given outcome if it sends a dispatch message, and returns its
   * answer at once.
   */
  perform({ port, method, args }: PortCall, nowMs: number, sendOutcome: SendOutcome): unknown {
    this.#clock.nowMs = nowMs;
    this.#sendOutcome = sendOutcome;
    this.#answer = nothing;
    const called = (this.ports[port] as unknown as Record<string, Method>)[method] as Method;
    // A call that rejects sets no answer. `perform` throws then, so the rejection itself can be ignored.
    called(...args).catch(() => {});
    if (this.#answer === nothing) throw new Error(`${port}.${method} had no effect`);
    if (method === 'send') for (const message of this.#visibleMessages()) this.#messages.add(message);
    else if (port === 'broker') this.#moveToEnd(this.#receiptHandlesOf(method, args), method === 'delete');
    return this.#answer;
  }

  /** Returns every task with its head and its events, in the order of acceptance. */
  tasks(): Snapshot[] {
    return this.#tables.rows.queue(target).map(snapshotOf);
  }

  /** Returns the pointers (the places of tasks) of a task's lane as a text, in the order of the lane. */
  lane(task: Snapshot): string {
    const lane = laneOf(task.submission);
    return lane === undefined ? '' : [...this.#tables.lanes.of(lane)].join(' ');
  }

  messages(): readonly QueuedMessage[] {
    return [...this.#messages];
  }

  sent(): readonly (readonly [string, number])[] {
    return [...this.#sent].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #recordSend({ id, version, reason }: DispatchMessage): number {
    this.#sent.set(`${id}/${version}/${reason}`, this.#clock.nowMs);
    return 0;
  }

  #visibleMessages(): Iterable<QueuedMessage> {
    return this.#externalBroker.queues.of({ queue: target, priority: 'normal' }).visible(this.#clock.nowMs);
  }

  #receiptHandlesOf(method: string, args: readonly unknown[]): Set<string | undefined> {
    if (method === 'receive')
      return new Set((this.#answer as Delivery[]).map((delivery) => delivery.receiptHandle));
    const requested = args[0] as readonly (string | { readonly receiptHandle: string })[];
    const done = requested.filter((_, i) => (this.#answer as boolean[])[i]);
    return new Set(done.map((one) => (typeof one === 'string' ? one : one.receiptHandle)));
  }

  #moveToEnd(receiptHandles: Set<string | undefined>, isGone: boolean): void {
    for (const message of [...this.#messages]) {
      if (!receiptHandles.has(message.receiptHandle)) continue;
      this.#messages.delete(message);
      if (!isGone) this.#messages.add(message);
    }
  }
}
