import { leaseExpiredAtMs } from '../../src/core/task/decision.ts';
import type { TaskEvent } from '../../src/core/task/event.ts';
import { dueAtMs } from '../../src/core/task/head.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { type Call, type Fate, fates, Machine } from './machine.ts';
import { type Names, textOf } from './names.ts';
import { startMs } from './still-clock.ts';

interface Origin {
  readonly from: StoreState;
  readonly call: Call;
  readonly nowMs: number;
  readonly fate: Fate;
}

/** What the store and the bells hold at one moment; two are the same object where they hold the same. */
export interface StoreState {
  readonly id: number;
  readonly tasks: readonly Snapshot[];
  /** When something here changes its meaning by itself: a bell is heard again, an entry is due, a lease is spent. */
  readonly momentsMs: readonly number[];
  readonly steps: Map<number, Step>;
  /** One way here. */
  readonly origin: Origin | undefined;
}

export interface Step {
  readonly to: StoreState;
  readonly answer: unknown;
  readonly name: number;
}

function keyOf(machine: Machine, tasks: readonly Snapshot[]): string {
  const messages = machine.messages().map(({ message, sentAtMs, visibleAtMs, receiptHandle }) => {
    return `${message.id}/${message.version}/${message.reason} ${sentAtMs} ${visibleAtMs} ${receiptHandle}`;
  });
  return textOf([tasks, tasks.map((task) => machine.lane(task)), messages, machine.sent()]);
}

function momentsOf(machine: Machine, tasks: readonly Snapshot[]): number[] {
  const moments = machine.messages().map((message) => message.visibleAtMs);
  for (const { head } of tasks) {
    const due = dueAtMs(head);
    if (due !== undefined) moments.push(due);
    if (head.state === 'running') moments.push(leaseExpiredAtMs(head));
  }
  return moments;
}

/** A machine in this state, by the way that led here. */
function rebuilt(state: StoreState): Machine {
  const way: Origin[] = [];
  for (let at = state.origin; at !== undefined; at = at.from.origin) way.push(at);
  const machine = new Machine();
  for (const { call, nowMs, fate } of way.reverse()) machine.perform(call, nowMs, fate);
  return machine;
}

/** Every state that the store was ever found in, and the effect of every call that was ever made in one. */
export class StoreStates {
  readonly start: StoreState;
  /** Of events that any task had in any state. */
  readonly kinds = new Set<TaskEvent['kind']>();
  readonly #known = new Map<string, StoreState>();
  readonly #names: Names;

  constructor(names: Names) {
    this.#names = names;
    this.start = this.#found(new Machine(), undefined);
  }

  get size(): number {
    return this.#known.size;
  }

  /** `name` is the call's. */
  step(from: StoreState, name: number, call: Call, nowMs: number, fate: Fate): Step {
    // Days in ms are below 2^31, names few: their product is a whole number still.
    const at = (name * fates.length + fates.indexOf(fate)) * 2 ** 31 + (nowMs - startMs);
    const known = from.steps.get(at);
    if (known !== undefined) return known;
    const machine = rebuilt(from);
    const answer = machine.perform(call, nowMs, fate);
    const to = this.#found(machine, { from, call, nowMs, fate });
    const step = { to, answer, name: this.#names.of(answer) };
    from.steps.set(at, step);
    return step;
  }

  #found(machine: Machine, origin: Origin | undefined): StoreState {
    const tasks = machine.tasks();
    const key = keyOf(machine, tasks);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    for (const { tip } of tasks) for (const { kind } of tip) this.kinds.add(kind);
    const momentsMs = momentsOf(machine, tasks);
    const state = { id: this.#known.size, tasks, momentsMs, steps: new Map(), origin };
    this.#known.set(key, state);
    return state;
  }
}

/** The next moment at which anything changes its meaning, by a clock that may be `skewMs` slow. */
export function nextMoment(state: StoreState, nowMs: number, skewMs: number): number | undefined {
  let next: number | undefined;
  for (const momentMs of state.momentsMs) {
    for (let at = momentMs; at <= momentMs + skewMs; at += Math.max(1, skewMs)) {
      if (at > nowMs && (next === undefined || at < next)) next = at;
    }
  }
  return next;
}
