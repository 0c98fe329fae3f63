/**
 * The rules of bells and lanes, searched instead of sampled: the real use cases and loops, on the memory engine whose
 * bells are apart, in worlds so small that one can go everywhere in them.
 *
 * Within a case everything is tried: every order of the calls that its actors make of store and bells, the death of an
 * actor between any two of them, another fate of any ring, every outcome of a handler, and the next moment that changes
 * anything coming at any time. A call has its effect and its answer at one instant; what an actor does between two calls
 * is one piece. Where an actor stands is told by the answers that it was given, so two places are one only where store,
 * bells, time, luck and all those answers are equal. After every write the rules in `rules.ts` are judged; from every
 * place where nobody is under way all tasks must end if nothing goes wrong from there on (`fairness.ts`).
 *
 * Not tried: answers that are late or lost though the caller lives; clocks that jump; moments between those that change
 * anything; a stall between an actor's first look at its clock and its first call; a due index that lags; streams
 * (workers claim by calls); the reconciler, but for its looks at the end; other fair orders than the one of
 * `World.round`; more tasks, actors and mishaps than a case has. Those are the simulation's part.
 */
import { Violation } from '../simulation/checks/violation.ts';
import type { Case } from './case.ts';
import { Fairness } from './fairness.ts';
import { type Place, World } from './world.ts';

export interface Explored {
  /** Places that differ. */
  readonly places: number;
  /** Those where nobody is under way: from each the tasks were seen to end. */
  readonly atRest: number;
  /** Kinds of event that any task had anywhere. */
  readonly kinds: readonly string[];
  /** The rule that was broken, and the shortest way there. */
  readonly broken: { readonly violation: Violation; readonly way: readonly string[] } | undefined;
}

interface Reached {
  readonly place: Place;
  readonly from: Reached | undefined;
  readonly what: string;
}

function wayTo(reached: Reached): string[] {
  const way: string[] = [];
  for (let at = reached; at.from !== undefined; at = at.from) way.push(at.what);
  return way.reverse();
}

/** Goes everywhere that a case can come to, nearest places first, until a rule is broken. */
export async function explore(given: Case): Promise<Explored> {
  const world = new World(given);
  const fairness = new Fairness(world);
  const start = await world.start();
  const seen = new Set([world.keyOf(start)]);
  let atRest = 0;

  async function beyond(reached: Reached): Promise<Reached[]> {
    if (reached.place.scenes.every((scene) => scene === undefined)) {
      atRest++;
      await fairness.judge(reached.place);
    }
    const further: Reached[] = [];
    for (const { what, to } of await world.moves(reached.place)) {
      const known = seen.size;
      if (seen.add(world.keyOf(to)).size > known) further.push({ place: to, from: reached, what });
    }
    return further;
  }

  const told = (broken: Explored['broken']): Explored => {
    return { places: seen.size, atRest, kinds: [...world.stores.kinds].sort(), broken };
  };
  let nearest: Reached[] = [{ place: start, from: undefined, what: '' }];
  while (nearest.length > 0) {
    const further: Reached[] = [];
    for (const reached of nearest) {
      try {
        for (const one of await beyond(reached)) further.push(one);
      } catch (thrown) {
        if (thrown instanceof Violation) return told({ violation: thrown, way: wayTo(reached) });
        throw thrown;
      }
    }
    nearest = further;
  }
  return told(undefined);
}
