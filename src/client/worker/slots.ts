import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Handler } from '../contract/handler.ts';
import { Fifo } from '../fifo.ts';

/** An assignment that waits for a slot. */
export interface Received {
  readonly assignment: Assignment;
  readonly handler: Handler;
  /** Order of arrival. */
  readonly seq: number;
  readonly receivedAtMs: number;
}

interface Lane {
  readonly handler: Handler;
  readonly limit: number;
  readonly waiting: Fifo<Received>;
  running: number;
}

/** Slots: the worker's and each handler's own. What came first starts first, unless its handler has no slot. */
export class Intake {
  readonly #lanes = new Map<string, Lane>();
  readonly #all: readonly Lane[];
  readonly concurrency: number;
  #running = 0;
  #waiting = 0;
  #seq = 0;

  constructor(handlers: readonly Handler[], concurrency: number) {
    for (const handler of handlers) {
      const limit = Math.min(handler.concurrency ?? concurrency, concurrency);
      this.#lanes.set(handler.task.name, { handler, limit, waiting: new Fifo(), running: 0 });
    }
    this.#all = [...this.#lanes.values()];
    this.concurrency = Math.min(
      concurrency,
      this.#all.reduce((sum, lane) => sum + lane.limit, 0),
    );
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  handlerOf(type: string): Handler | undefined {
    return this.#lanes.get(type)?.handler;
  }

  add(assignment: Assignment, handler: Handler, nowMs: number): void {
    const lane = this.#lanes.get(handler.task.name) as Lane;
    lane.waiting.push({ assignment, handler, seq: this.#seq++, receivedAtMs: nowMs });
    this.#waiting++;
  }

  /** The next to start, which takes its slot; undefined: nothing waits that may. */
  next(): Received | undefined {
    if (this.#waiting === 0 || this.#running >= this.concurrency) return undefined;
    let first: Lane | undefined;
    let firstSeq = Number.POSITIVE_INFINITY;
    for (const lane of this.#all) {
      const head = lane.waiting.peek();
      if (head === undefined || lane.running >= lane.limit || head.seq >= firstSeq) continue;
      first = lane;
      firstSeq = head.seq;
    }
    if (first === undefined) return undefined;
    this.#waiting--;
    this.#running++;
    first.running++;
    return first.waiting.shift();
  }

  /** Gives a slot back. */
  ended(handler: Handler): void {
    const lane = this.#lanes.get(handler.task.name) as Lane;
    lane.running--;
    this.#running--;
  }

  /** When the one that waits longest has waited too long; undefined: none waits. */
  staleAtMs(): number | undefined {
    let at: number | undefined;
    for (const { waiting } of this.#all) {
      const head = waiting.peek();
      if (head === undefined) continue;
      const staleAtMs = head.receivedAtMs + timing.prefetchStartMs;
      if (at === undefined || staleAtMs < at) at = staleAtMs;
    }
    return at;
  }

  /** Takes out what has waited too long, or all of it. */
  takeOut(nowMs: number): Received[] {
    const out: Received[] = [];
    for (const { waiting } of this.#all) {
      for (let head = waiting.peek(); head !== undefined; head = waiting.peek()) {
        if (head.receivedAtMs + timing.prefetchStartMs > nowMs) break;
        out.push(head);
        waiting.shift();
      }
    }
    this.#waiting -= out.length;
    return out;
  }
}
