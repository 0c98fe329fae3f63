import { leaseExpiredAtMs } from '../../src/core/task/decision.ts';
import type { TaskEvent } from '../../src/core/task/event.ts';
import { dueAtMs } from '../../src/core/task/head.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { startMs } from './manual-clock.ts';
import { ManualEngine, type PortCall, type SendOutcome, sendOutcomes } from './manual-engine.ts';
import { textOf, type ValueNumbers } from './value-numbers.ts';

/** The call by which the search came from one store state to another. */
interface StepOrigin {
  readonly from: StoreState;
  readonly call: PortCall;
  readonly nowMs: number;
  readonly sendOutcome: SendOutcome;
}

/** The content of the store and the broker at one moment. Equal contents are represented by the same object. */
export interface StoreState {
  readonly id: number;
  readonly tasks: readonly Snapshot[];
  /**
   * The times in ms at which something changes without a call: a message becomes visible, a task is due, a lease
   * expires.
   */
  readonly momentsMs: readonly number[];
  readonly steps: Map<number, StoreStep>;
  /**
   * The call by which the search first reached this store state. Undefined for the state in which the search starts.
   */
  readonly origin: StepOrigin | undefined;
}

/** The effect and the answer of one call in one store state. */
export interface StoreStep {
  readonly to: StoreState;
  readonly answer: unknown;
  readonly answerNumber: number;
}

function keyOf(engine: ManualEngine, tasks: readonly Snapshot[]): string {
  const messages = engine.messages().map(({ message, sentAtMs, visibleAtMs, receiptHandle }) => {
    return `${message.id}/${message.version}/${message.reason} ${sentAtMs} ${visibleAtMs} ${receiptHandle}`;
  });
  return textOf([tasks, tasks.map((task) => engine.lane(task)), messages, engine.sent()]);
}

function momentsOf(engine: ManualEngine, tasks: readonly Snapshot[]): number[] {
  const moments = engine.messages().map((message) => message.visibleAtMs);
  for (const { head } of tasks) {
    const due = dueAtMs(head);
    if (due !== undefined) moments.push(due);
    if (head.state === 'running') moments.push(leaseExpiredAtMs(head));
  }
  return moments;
}

/** Builds an engine in a given store state by repeating the calls that led to the state. */
function rebuild(state: StoreState): ManualEngine {
  const origins: StepOrigin[] = [];
  for (let at = state.origin; at !== undefined; at = at.from.origin) origins.push(at);
  const engine = new ManualEngine();
  for (const { call, nowMs, sendOutcome } of origins.reverse()) engine.perform(call, nowMs, sendOutcome);
  return engine;
}

/** All store states that the search has reached, and the effect of each call that it has made in one of them. */
export class StoreStates {
  readonly start: StoreState;
  /** The kinds of event that any task had in any reached state. */
  readonly kinds = new Set<TaskEvent['kind']>();
  readonly #known = new Map<string, StoreState>();
  readonly #numbers: ValueNumbers;

  constructor(numbers: ValueNumbers) {
    this.#numbers = numbers;
    this.start = this.#stateOf(new ManualEngine(), undefined);
  }

  get size(): number {
    return this.#known.size;
  }

  /**
   * Returns the effect of a call in a store state. `callNumber` identifies the call: equal calls have equal numbers.
   */
  step(
    from: StoreState,
    callNumber: number,
    call: PortCall,
    nowMs: number,
    sendOutcome: SendOutcome,
  ): StoreStep {
    // The time since the start of the search is below 2^31 ms and the numbers of calls are small, so the key is a safe
    // integer.
    const key =
      (callNumber * sendOutcomes.length + sendOutcomes.indexOf(sendOutcome)) * 2 ** 31 + (nowMs - startMs);
    const known = from.steps.get(key);
    if (known !== undefined) return known;
    const engine = rebuild(from);
    const answer = engine.perform(call, nowMs, sendOutcome);
    const to = this.#stateOf(engine, { from, call, nowMs, sendOutcome });
    const step = { to, answer, answerNumber: this.#numbers.numberOf(answer) };
    from.steps.set(key, step);
    return step;
  }

  #stateOf(engine: ManualEngine, origin: StepOrigin | undefined): StoreState {
    const tasks = engine.tasks();
    const key = keyOf(engine, tasks);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    for (const { tip } of tasks) for (const { kind } of tip) this.kinds.add(kind);
    const momentsMs = momentsOf(engine, tasks);
    const state = { id: this.#known.size, tasks, momentsMs, steps: new Map(), origin };
    this.#known.set(key, state);
    return state;
  }
}

/**
 * Returns the next time in ms at which a message becomes visible, a lease expires or a task becomes due by itself. An actor
 * whose clock is `skewMs` behind sees each of these times later, so both times count.
 */
export function nextMoment(state: StoreState, nowMs: number, skewMs: number): number | undefined {
  let next: number | undefined;
  for (const momentMs of state.momentsMs) {
    for (let at = momentMs; at <= momentMs + skewMs; at += Math.max(1, skewMs)) {
      if (at > nowMs && (next === undefined || at < next)) next = at;
    }
  }
  return next;
}
