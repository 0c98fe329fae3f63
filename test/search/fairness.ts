import { isEnded } from '../../src/core/task/head.ts';
import { passes } from '../../src/service/redrive/reconcile-schedule.ts';
import { Violation } from '../simulation/checks/violation.ts';
import { startMs } from './manual-clock.ts';
import { nextMoment } from './store-state.ts';
import type { World, WorldState } from './world.ts';

/**
 * The times of the first two passes of the reconciler, which sends lost dispatch messages again, in ms after the start
 * of the search. The second pass handles tasks whose dispatch message was hidden during the first pass.
 */
const passesMs = passes.slice(0, 2).map(({ ageMs }) => ageMs + 60_000);

/** The longest time in ms that a task waits without any change if it will still end. */
const longestWaitMs = 60_000;
/**
 * The maximum number of steps (a round of all actors, or a passing of time) until nothing changes any more. No search
 * case needs as many.
 */
const mostRounds = 1_000;

/**
 * Returns the key of a task that has not ended, or that has ended but still holds up the next task of its lane. Returns
 * undefined if there is no such task.
 */
function unfinished({ store, returned }: WorldState, which: 'acknowledged' | 'all'): string | undefined {
  const unended = store.tasks.filter(({ head }) => !isEnded(head) || head.handOver);
  const keys = unended.map(({ submission }) => submission.scope.key);
  return keys.find((key) => which === 'all' || returned.includes(key));
}

/**
 * Checks that all tasks end if no more faults happen: each actor that may start runs in turn to its end, and time passes
 * once no actor changes anything any more.
 */
export class Fairness {
  readonly #world: World;
  /**
   * Maps the key of a world state to the final state that the world reaches from it without faults, in which nothing
   * changes any more.
   */
  readonly #restingStates = new Map<string, WorldState>();

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * Throws if an acknowledged task never ends without the reconciler, or if any task never ends with the reconciler.
   */
  async check(state: WorldState): Promise<void> {
    const fair = { ...state, crashes: 0, sendFaults: 0 };
    const rest = await this.#runToRest(fair);
    const unfinishedKey = fair.messageLost ? undefined : unfinished(rest, 'acknowledged');
    if (unfinishedKey !== undefined)
      throw new Violation('acknowledgedEnds', `'${unfinishedKey}' waits for ever`);
    let last = rest;
    for (const atMs of passesMs) {
      if (unfinished(last, 'all') === undefined) return;
      last = await this.#runToRest(
        await this.#world.reconciled({ ...last, nowMs: Math.max(last.nowMs, startMs + atMs) }),
      );
    }
    const lostKey = unfinished(last, 'all');
    if (lostKey !== undefined) throw new Violation('nothingWaitsForEver', `'${lostKey}' waits for ever`);
  }

  /** Lets all workers and sweeps run without faults until no task changes any more. The reconciler does not run. */
  async #runToRest(from: WorldState): Promise<WorldState> {
    const visited: string[] = [];
    let state = from;
    for (;;) {
      const key = this.#world.keyOf(state);
      const known = this.#restingStates.get(key);
      if (known !== undefined) {
        state = known;
        break;
      }
      if (visited.push(key) > mostRounds)
        throw new Violation('nothingWaitsForEver', 'the world never comes to rest');
      const next = await this.#next(state);
      if (next === undefined) break;
      state = next;
    }
    for (const key of visited) this.#restingStates.set(key, state);
    return state;
  }

  async #next(state: WorldState): Promise<WorldState | undefined> {
    const after = await this.#world.round(state);
    if (this.#world.keyOf(after) !== this.#world.keyOf(state)) return after;
    if (unfinished(state, 'all') === undefined) return undefined;
    const laterMs = nextMoment(state.store, state.nowMs, 0);
    const isSoon = laterMs !== undefined && laterMs <= state.nowMs + longestWaitMs;
    return isSoon ? { ...state, nowMs: laterMs } : undefined;
  }
}
