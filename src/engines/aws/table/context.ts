import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { TableCalls } from './calls.ts';
import type { KnownTasks } from './items/known-tasks.ts';
import type { Nonces } from './items/nonces.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { Shards } from './schema/shards.ts';

/** What the parts of the engine share: one table, and what this process knows of it. */
export interface AwsContext {
  readonly calls: TableCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly shards: Shards;
  readonly nonces: Nonces;
  readonly known: KnownTasks;
  readonly mutex: KeyedMutex;
}
