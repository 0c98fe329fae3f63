import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { TableCalls } from './calls.ts';
import type { KnownTasks } from './items/known-tasks.ts';
import type { Nonces } from './items/nonces.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { FirstPlaces } from './read/first-places.ts';
import type { Shards } from './schema/shards.ts';

/**
 * State that all parts of the DynamoDB task store share: access to one table, and the data about tasks, lanes and
 * shards that this process has cached.
 */
export interface AwsContext {
  readonly calls: TableCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly shards: Shards;
  readonly nonces: Nonces;
  readonly knownTasks: KnownTasks;
  readonly firstPlaces: FirstPlaces;
  readonly mutex: KeyedMutex;
}
