/**
 * An exhaustive search for broken rules of dispatch messages and lanes. It runs the real use cases and loops on the
 * memory engine with its external broker, in simulated clusters (worlds) so small that the search can reach every
 * state.
 *
 * The search tries every order of the calls that the actors make of store and broker, a crash of an actor between any
 * two of its calls, each outcome of each send, each outcome of a handler, and time passing at any point. A call has its
 * effect and its answer at one instant, and the code between two calls of an actor runs as one step. An actor's state
 * is determined by the answers that it was given. Two states are therefore the same only if store, broker, time,
 * remaining faults and all those answers are equal. `rules.ts` checks each write. From every state in which no script
 * runs, all tasks must end if no more faults happen (`fairness.ts`).
 *
 * The search does not try: late or lost answers to an actor that lives; clocks that jump; times between those at which
 * something changes; a stall between an actor's first reading of its clock and its first call; a due index that lags;
 * streams (workers claim by calls); the reconciler, except at the end; other fair orders than that of `World.round`;
 * more tasks, actors and faults than the case has. The simulation covers these cases.
 */
import { Violation } from '../simulation/checks/violation.ts';
import type { SearchCase } from './case.ts';
import { Fairness } from './fairness.ts';
import { World, type WorldState } from './world.ts';

export interface SearchResult {
  /** The number of different world states that the search reached. */
  readonly states: number;
  /**
   * The number of reached world states in which no script runs. From each of these states, all tasks came to their end.
   */
  readonly atRest: number;
  /** The kinds of event that any task had in any reached state. */
  readonly kinds: readonly string[];
  /** The first rule that was broken, and the fewest steps that break it. Undefined if no rule was broken. */
  readonly broken: { readonly violation: Violation; readonly steps: readonly string[] } | undefined;
}

/** A world state with the step by which the search first reached it. */
interface ReachedState {
  readonly state: WorldState;
  readonly from: ReachedState | undefined;
  readonly step: string;
}

function stepsTo(reached: ReachedState): string[] {
  const steps: string[] = [];
  for (let at = reached; at.from !== undefined; at = at.from) steps.push(at.step);
  return steps.reverse();
}

/** Visits all world states of a search case, in the order of their distance from the start, until a rule is broken. */
export async function explore(searchCase: SearchCase): Promise<SearchResult> {
  const world = new World(searchCase);
  const fairness = new Fairness(world);
  const start = await world.start();
  const seen = new Set([world.keyOf(start)]);
  let atRest = 0;

  async function statesAfter(reached: ReachedState): Promise<ReachedState[]> {
    if (reached.state.scriptStates.every((scriptState) => scriptState === undefined)) {
      atRest++;
      await fairness.check(reached.state);
    }
    const further: ReachedState[] = [];
    for (const { description, to } of await world.steps(reached.state)) {
      const sizeBefore = seen.size;
      if (seen.add(world.keyOf(to)).size > sizeBefore)
        further.push({ state: to, from: reached, step: description });
    }
    return further;
  }

  const result = (broken: SearchResult['broken']): SearchResult => {
    return { states: seen.size, atRest, kinds: [...world.stores.kinds].sort(), broken };
  };
  let nearest: ReachedState[] = [{ state: start, from: undefined, step: '' }];
  while (nearest.length > 0) {
    const further: ReachedState[] = [];
    for (const reached of nearest) {
      try {
        for (const one of await statesAfter(reached)) further.push(one);
      } catch (thrown) {
        if (thrown instanceof Violation) return result({ violation: thrown, steps: stepsTo(reached) });
        throw thrown;
      }
    }
    nearest = further;
  }
  return result(undefined);
}
