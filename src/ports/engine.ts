import type { Broker } from './broker.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Overload } from './overload.ts';
import type { Registry } from './registry.ts';
import type { TaskStore } from './task-store.ts';

/** What an engine is: the three ports over one store. */
export interface Engine {
  readonly store: TaskStore;
  readonly broker: Broker;
  readonly registry: Registry;
  /** Absent: submissions are not refused for load before they reach the store. */
  readonly overload?: Overload | undefined;
  /** Absent: deaths are told by the store's list of what is dead, and nowhere else. */
  readonly deadLetters?: DeadLetters | undefined;
  /** Finishes what is under way, then lets go of every resource. Idempotent. */
  close(): Promise<void>;
}
