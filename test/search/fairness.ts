import { isEnded } from '../../src/core/task/head.ts';
import { looks } from '../../src/runtime/reconcile.ts';
import { Violation } from '../simulation/checks/violation.ts';
import { startMs } from './still-clock.ts';
import { nextMoment } from './store-state.ts';
import type { Place, World } from './world.ts';

/** The reconciler's first looks; the second is for what the first found hidden. */
const looksMs = looks.slice(0, 2).map(({ ageMs }) => ageMs + 60_000);

/** No wait of a task that will be done is longer. */
const longestWaitMs = 60_000;
/** More rounds than any case needs to come to rest. */
const mostRounds = 1_000;

/** The key of a task that has not ended, or whose lane waits for it. */
function unfinished({ store, said }: Place, whose: 'acknowledged' | 'all'): string | undefined {
  const going = store.tasks.filter(({ head }) => !isEnded(head) || head.handOver);
  const keys = going.map(({ submission }) => submission.scope.key);
  return keys.find((key) => whose === 'all' || said.includes(key));
}

/**
 * Whether tasks end where from now on nothing goes wrong: everybody who may begin does so in turn, each until it is
 * done, and time moves on when nobody changes anything any more.
 */
export class Fairness {
  readonly #world: World;
  /** Where each place, if all is fair, comes to rest. */
  readonly #rests = new Map<string, Place>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Throws where a task is stranded: an acknowledged one without the reconciler, any other in spite of it. */
  async judge(place: Place): Promise<void> {
    const fair = { ...place, crashes: 0, misrings: 0 };
    const rest = await this.#rest(fair);
    const stranded = fair.messageLost ? undefined : unfinished(rest, 'acknowledged');
    if (stranded !== undefined) throw new Violation('acknowledgedEnds', `'${stranded}' waits for ever`);
    let last = rest;
    for (const atMs of looksMs) {
      if (unfinished(last, 'all') === undefined) return;
      last = await this.#rest(
        await this.#world.reconciled({ ...last, nowMs: Math.max(last.nowMs, startMs + atMs) }),
      );
    }
    const forgotten = unfinished(last, 'all');
    if (forgotten !== undefined) throw new Violation('nothingWaitsForEver', `'${forgotten}' waits for ever`);
  }

  /** Where a fair world comes to rest, before the reconciler's first look. */
  async #rest(from: Place): Promise<Place> {
    const passed: string[] = [];
    let place = from;
    for (;;) {
      const key = this.#world.keyOf(place);
      const known = this.#rests.get(key);
      if (known !== undefined) {
        place = known;
        break;
      }
      if (passed.push(key) > mostRounds)
        throw new Violation('nothingWaitsForEver', 'it goes round in circles');
      const next = await this.#next(place);
      if (next === undefined) break;
      place = next;
    }
    for (const key of passed) this.#rests.set(key, place);
    return place;
  }

  async #next(place: Place): Promise<Place | undefined> {
    const after = await this.#world.round(place);
    if (this.#world.keyOf(after) !== this.#world.keyOf(place)) return after;
    if (unfinished(place, 'all') === undefined) return undefined;
    const laterMs = nextMoment(place.store, place.nowMs, 0);
    const isSoon = laterMs !== undefined && laterMs <= place.nowMs + longestWaitMs;
    return isSoon ? { ...place, nowMs: laterMs } : undefined;
  }
}
