import type { TaskEvent } from '../../src/core/task/event.ts';
import type { SendOutcome } from './manual-engine.ts';
import type { Script } from './script-run.ts';

/** A client, a worker, a sweep or an operator of a search case. */
export interface Actor {
  readonly name: string;
  readonly script: Script;
  /** How often the actor may start, or unlimited if absent. Once its script returned the actor's name it never starts again. */
  readonly times?: number;
  /** True if `times` does not limit the actor while `Fairness` checks that all tasks end. */
  readonly unlimitedWhenFair?: boolean;
  /** The actor may start only once a script has returned this text. */
  readonly after?: string;
  /** How far the actor's clock is behind the others', in ms. */
  readonly slowMs?: number;
}

/** A script that runs before the search begins, to its end and without faults except `sendOutcome`. */
export interface SetupStep {
  readonly script: Script;
  /** The outcome of each send. The default is 'sent'. */
  readonly sendOutcome?: SendOutcome;
  /** The script is stopped as soon as a task has an event of this kind. */
  readonly until?: TaskEvent['kind'];
}

/** A small world for the search: its actors, and the faults that may happen. */
export interface SearchCase {
  readonly before: readonly SetupStep[];
  readonly actors: readonly Actor[];
  /** How many actors may crash between two of their calls. */
  readonly crashes: number;
  /** How many sends may have one of `faultOutcomes` instead of 'sent'. */
  readonly sendFaults: number;
  readonly faultOutcomes: readonly SendOutcome[];
  /** The search lets this much time pass, at most, from its start on. */
  readonly horizonMs: number;
}
