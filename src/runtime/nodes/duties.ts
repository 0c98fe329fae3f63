import type { QueueRef } from '../../ports/task-store.ts';
import type { ServiceContext } from '../../service/context.ts';
import { type Fitness, Membership } from './membership.ts';
import { shardOfQueue } from './shard-ownership.ts';

/** What of the work that is done once for all nodes is this node's, at this moment. */
export interface Duties {
  sweeps(shard: number): boolean;
  looksAfter(queue: QueueRef): boolean;
  /** Where several nodes share the store. */
  readonly membership: Membership | undefined;
}

export interface DutyOptions {
  /**
   * False: this node serves its own callers, and leaves sweeping and reconciling to others, whatever happens. Default
   * true.
   */
  readonly takesPart?: boolean | undefined;
  readonly version?: string | undefined;
  /** Asked at every step. Default: always fit. */
  readonly fitness?: (() => Fitness) | undefined;
}

const fit: Fitness = { fit: true, clockOffsetMs: undefined };

/** A store with one writer needs nobody to agree with: its process does all of it, and nothing is registered. */
export function dutiesOf(context: ServiceContext, options: DutyOptions = {}): Duties {
  const { store, registry, clock, log, node, processId: id } = context;
  if (options.takesPart === false) {
    return { sweeps: () => false, looksAfter: () => false, membership: undefined };
  }
  if (!store.can.sharedWriters) {
    return { sweeps: () => true, looksAfter: () => true, membership: undefined };
  }
  const { version = '', fitness = () => fit } = options;
  const countShards = async (): Promise<number> => (await store.countDueShards?.()) ?? store.dueShards;
  const membership = new Membership({ id, node, version, registry, clock, log, countShards, fitness });
  const sweeps = (shard: number): boolean => membership.shards.includes(shard);
  return { sweeps, looksAfter: (queue) => sweeps(shardOfQueue(queue, membership.shardCount)), membership };
}
