import type { FullStoreFact } from '../core/explain/facts.ts';
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
   * Refuses submissions under overload, before they reach the store. It is absent if the engine has no such
   * protection.
   */
  readonly overload?: Overload | undefined;
  /**
   * Publishes notices of dead tasks to dead-letter queues. It is absent if the engine has no dead-letter
   * queues.
   */
  readonly deadLetters?: DeadLetters | undefined;
  /**
   * Returns what the engine has used so far of the services that it is billed for, by kind. It is absent if nothing is
   * billed.
   */
  consumed?(): Readonly<Record<string, number>>;
  /**
   * Returns since when the disk of the store has been full, or undefined if it has room. It is absent if the engine's store
   * cannot be full.
   */
  fullStore?(): FullStoreFact | undefined;
  /** Finishes the calls in flight, then frees every resource. A second call does nothing more. */
  close(): Promise<void>;
}
