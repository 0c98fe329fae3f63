import type { TaskEvent } from '../../src/core/task/event.ts';
import type { SendOutcome } from './manual-engine.ts';
import type { Script } from './script-run.ts';

/** A client, a worker, a sweep or an operator of a search case. */
export interface Actor {
  readonly name: string;
  readonly script: Script;
  /**
   * How often an actor may start its script; unlimited if absent. An actor whose script has returned the actor's name
   * never starts again.
   */
  readonly times?: number;
  /** True if `times` does not limit the actor's starts while `Fairness` checks that all tasks end. */
  readonly unlimitedWhenFair?: boolean;
  /** An actor with this field may start only once a script has returned this text. */
  readonly after?: string;
  /** How far the actor's clock is behind the clocks of the other actors, in ms. */
  readonly slowMs?: number;
}

/** A script that runs before the search begins, to its end and without faults except `sendOutcome`. */
export interface SetupStep {
  readonly script: Script;
  /** The outcome of each send of a dispatch message by the script. The default is 'sent'. */
  readonly sendOutcome?: SendOutcome;
  /** The script is stopped as soon as a task has an event of this kind. */
  readonly until?: TaskEvent['kind'];
}

/**
 * A small simulated cluster that the exhaustive search explores completely: its actors, and the faults that may happen.
 */
export interface SearchCase {
  readonly before: readonly SetupStep[];
  readonly actors: readonly Actor[];
  /** How many actors may crash between two of their calls. */
  readonly crashes: number;
  /** How many sends of dispatch messages may have one of `faultOutcomes` instead of 'sent'. */
  readonly sendFaults: number;
  readonly faultOutcomes: readonly SendOutcome[];
  /** The maximum time in ms that the search lets pass, from its start on. */
  readonly horizonMs: number;
}
