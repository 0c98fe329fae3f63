import type { TaskEvent } from '../../src/core/task/event.ts';
import type { Fate } from './machine.ts';
import type { Script } from './performance.ts';

export interface Actor {
  readonly name: string;
  readonly script: Script;
  /** How often it begins at most; absent: as often as it likes. Whoever said its own name begins no more. */
  readonly times?: number;
  /** Once nothing goes wrong any more it begins as often as it likes all the same. */
  readonly tireless?: boolean;
  /** Begins only once this was said. */
  readonly after?: string;
  /** How slow its clock is. */
  readonly slowMs?: number;
}

/** What happened before, to its end and undisturbed, but for the fate of its rings. */
export interface Deed {
  readonly script: Script;
  readonly sends?: Fate;
  /** It dies as soon as this has happened. */
  readonly until?: TaskEvent['kind'];
}

/** A small world: who acts in it, and what may go wrong. */
export interface Case {
  readonly before: readonly Deed[];
  readonly actors: readonly Actor[];
  /** How often an actor may die between two of its calls. */
  readonly crashes: number;
  /** How often a ring may meet another fate, and which. */
  readonly misrings: number;
  readonly fates: readonly Fate[];
  /** Time moves on while its beginning is no longer ago than this. */
  readonly horizonMs: number;
}
