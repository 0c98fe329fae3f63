import type { QueueRef } from '../../core/queue-ref.ts';
import type { ServiceContext } from '../../service/context.ts';
import { type Fitness, Membership } from './membership.ts';
import { shardOfQueue } from './shard-ownership.ts';

/** This node's current part of the work that the nodes of a store share: sweeping shards and reconciling queues. */
export interface Duties {
  sweeps(shard: number): boolean;
  reconciles(queue: QueueRef): boolean;
  /**
   * The node's membership among the nodes of the store. Undefined if only one process may use the store, or if this node
   * takes no part in the shared work.
   */
  readonly membership: Membership | undefined;
}

export interface DutyOptions {
  /** False if this node serves its own callers only and never sweeps or reconciles. Default: true. */
  readonly takesPart?: boolean | undefined;
  readonly version?: string | undefined;
  /**
   * Returns whether the node is fit to sweep and to give out leases. It is called before each page of the sweep and before
   * each claim. Default: the node is always fit.
   */
  readonly fitness?: (() => Fitness) | undefined;
}

const fit: Fitness = { fit: true, clockOffsetMs: undefined };

/**
 * Returns the shards that this node sweeps and the queues that it reconciles. On a store with one writer the process does
 * all of this work and registers nothing; on other stores the node joins a `Membership`.
 */
export function dutiesOf(context: ServiceContext, options: DutyOptions = {}): Duties {
  const { store, registry, clock, log, node, processId: id } = context;
  if (options.takesPart === false) {
    return { sweeps: () => false, reconciles: () => false, membership: undefined };
  }
  if (!store.can.sharedWriters) {
    return { sweeps: () => true, reconciles: () => true, membership: undefined };
  }
  const { version = '', fitness = () => fit } = options;
  const countShards = async (): Promise<number> => (await store.countDueShards?.()) ?? store.dueShards;
  const membership = new Membership({ id, node, version, registry, clock, log, countShards, fitness });
  const sweeps = (shard: number): boolean => membership.shards.includes(shard);
  return { sweeps, reconciles: (queue) => sweeps(shardOfQueue(queue, membership.shardCount)), membership };
}
