import { type BrokerKind, brokerOf } from '../../src/engines/memory/broker/broker.ts';
import type { Operate } from '../../src/engines/memory/operate.ts';
import { laneOf, snapshotOf } from '../../src/engines/memory/rows.ts';
import { Tables } from '../../src/engines/memory/tables.ts';
import { taskStore } from '../../src/engines/memory/task-store.ts';
import type { Broker, Delivery, DispatchMessage } from '../../src/ports/broker.ts';
import type { QueueRef, Snapshot, TaskStore } from '../../src/ports/task-store.ts';
import { ExternalBroker } from '../../src/testing/external-broker.ts';
import { StillClock } from './still-clock.ts';

export const target: QueueRef = { tenant: 'acme', queue: 'q' };

/** One call of a port. */
export interface Call {
  readonly port: 'store' | 'broker';
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What becomes of a ring. */
export const fates = ['sent', 'doubled', 'lost', 'failed'] as const;
export type Fate = (typeof fates)[number];

export interface Ports {
  readonly store: TaskStore;
  readonly broker: Broker;
}

/** No call has answered yet. */
const nothing = Symbol('nothing');

/** As the engine keeps it. */
export type Message =
  ReturnType<ExternalBroker['queues']['line']> extends { visible(nowMs: number): Generator<infer One> }
    ? One
    : never;

type Method = (...args: readonly unknown[]) => Promise<unknown>;

/** The memory engine in its `apart` nature, worked by hand: one call, one effect, one answer, nothing in between. */
export class Machine {
  readonly #clock = new StillClock();
  readonly #tables = new Tables({ dueShards: 1, now: () => this.#clock.nowMs, indexLagMs: () => 0 });
  readonly #kind: ExternalBroker;
  readonly ports: Ports;
  /** Messages of the queue, in the order in which each was last touched. */
  readonly #messages = new Set<Message>();
  /** When each ring that was not swallowed was sent. */
  readonly #sent = new Map<string, number>();
  #fate: Fate = 'sent';
  #answer: unknown;

  constructor() {
    const faults = {
      send: () => this.#fate,
      deliveryDelayMs: (message: DispatchMessage) => this.#sending(message),
    };
    this.#kind = new ExternalBroker(this.#clock, faults);
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
    const kind: BrokerKind = this.#kind;
    this.ports = { store: taskStore(parts, operate), broker: brokerOf(kind, this.#clock, operate, never) };
  }

  /** The effect and its answer, at once. */
  perform({ port, method, args }: Call, nowMs: number, fate: Fate): unknown {
    this.#clock.nowMs = nowMs;
    this.#fate = fate;
    this.#answer = nothing;
    const called = (this.ports[port] as unknown as Record<string, Method>)[method] as Method;
    // Refused calls are nobody's here: the answer stays away, and whoever reads it will tell.
    called(...args).catch(() => {});
    if (this.#answer === nothing) throw new Error(`${port}.${method} had no effect`);
    if (method === 'send') for (const message of this.#line()) this.#messages.add(message);
    else if (port === 'broker') this.#touched(this.#receiptHandlesOf(method, args), method === 'delete');
    return this.#answer;
  }

  /** Every task with its head and its events, in the order of acceptance. */
  tasks(): Snapshot[] {
    return this.#tables.rows.queue(target).map(snapshotOf);
  }

  /** The places in a task's lane, in their order. */
  lane(task: Snapshot): string {
    const lane = laneOf(task.submission);
    return lane === undefined ? '' : [...this.#tables.lanes.of(lane)].join(' ');
  }

  messages(): readonly Message[] {
    return [...this.#messages];
  }

  sent(): readonly (readonly [string, number])[] {
    return [...this.#sent].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #sending({ id, version, reason }: DispatchMessage): number {
    this.#sent.set(`${id}/${version}/${reason}`, this.#clock.nowMs);
    return 0;
  }

  #line(): Iterable<Message> {
    return this.#kind.queues.line({ queue: target, priority: 'normal' }).visible(this.#clock.nowMs);
  }

  #receiptHandlesOf(method: string, args: readonly unknown[]): Set<string | undefined> {
    if (method === 'receive')
      return new Set((this.#answer as Delivery[]).map((delivery) => delivery.receiptHandle));
    const asked = args[0] as readonly (string | { readonly receiptHandle: string })[];
    const done = asked.filter((_, i) => (this.#answer as boolean[])[i]);
    return new Set(done.map((one) => (typeof one === 'string' ? one : one.receiptHandle)));
  }

  #touched(receiptHandles: Set<string | undefined>, isGone: boolean): void {
    for (const message of [...this.#messages]) {
      if (!receiptHandles.has(message.receiptHandle)) continue;
      this.#messages.delete(message);
      if (!isGone) this.#messages.add(message);
    }
  }
}
