import type { Bells } from './bells.ts';
import type { Registry } from './registry.ts';
import type { TaskStore } from './task-store.ts';

/** What an engine is: the three ports over one store. */
export interface Engine {
  readonly store: TaskStore;
  readonly bells: Bells;
  readonly registry: Registry;
  /** Finishes what is under way, then lets go of every resource. Idempotent. */
  close(): Promise<void>;
}
