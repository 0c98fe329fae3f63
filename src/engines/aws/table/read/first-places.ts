import type { LaneKey } from '../../../../ports/task-store.ts';
import { laneTailKey } from '../schema/keys.ts';

const mostLanes = 16_384;
/**
 * How long, in ms, the first place of a lane is remembered. A lane numbers its places anew only if its tail was deleted, which
 * TTL does after weeks.
 */
const rememberedMs = 10 * 60_000;

interface FirstPlace {
  readonly seq: number;
  readonly atMs: number;
}

/**
 * Remembers for each lane a place before which this process knows that no task is left. Since new places are later ones,
 * this stays true, so that the claim of a task after a hand-over by the same process needs no read of its lane.
 */
export class FirstPlaces {
  readonly #places = new Map<string, FirstPlace>();
  readonly #monotonic: () => number;

  /** `monotonic` returns the time in ms on a clock that never steps. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  isKnown(lane: LaneKey, seq: number): boolean {
    const known = this.#places.get(nameOf(lane));
    return known?.seq === seq && this.#monotonic() - known.atMs < rememberedMs;
  }

  /** Records that every place of the lane before `seq` was left. */
  put(lane: LaneKey, seq: number): void {
    const name = nameOf(lane);
    this.#places.delete(name);
    this.#places.set(name, { seq, atMs: this.#monotonic() });
    if (this.#places.size <= mostLanes) return;
    for (const oldest of this.#places.keys()) {
      this.#places.delete(oldest);
      return;
    }
  }
}

function nameOf(lane: LaneKey): string {
  return laneTailKey(lane).pk.S ?? '';
}
