import type { Broker } from './broker.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Overload } from './overload.ts';
import type { Registry } from './registry.ts';
import type { TaskStore } from './task-store.ts';

/** A storage engine: task store, broker and registry on one database. */
export interface Engine {
  readonly store: TaskStore;
  readonly broker: Broker;
  readonly registry: Registry;
  /**
   * Refuses submissions under overload. It is absent if the engine never refuses a submission before the submission
   * reaches the store.
   */
  readonly overload?: Overload | undefined;
  /** Publishes notices of dead tasks. It is absent if dead tasks are only listed by the store. */
  readonly deadLetters?: DeadLetters | undefined;
  /** Finishes the calls in flight, then frees every resource. A second call does nothing more. */
  close(): Promise<void>;
}
