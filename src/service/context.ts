import type { Broker } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeadLetters } from '../ports/dead-letters.ts';
import type { Engine } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { NodeMetrics } from '../ports/metrics.ts';
import type { Overload } from '../ports/overload.ts';
import type { Registry } from '../ports/registry.ts';
import type { TaskStore } from '../ports/task-store.ts';
import type { Tracing } from '../ports/tracing.ts';
import type { MissingQueueLog } from './admin/missing-queue-log.ts';
import type { QueueSettings } from './admin/queue-settings.ts';
import type { LeaseGrace } from './claim/lease-grace.ts';
import type { Pollers } from './claim/pollers.ts';
import type { RedriveNotes } from './redrive/redrive-notes.ts';
import type { CutReleases } from './reserved/cut-releases.ts';
import type { Rebalance } from './reserved/rebalance.ts';
import type { Sessions } from './session/sessions.ts';
import type { HeldLeases } from './settle/held-leases.ts';
import type { ChangeFeed } from './watch/change-feed.ts';
import type { WatchedTasks } from './watch/watched-tasks.ts';

/** The store, the broker and the caches that all use cases of one node (submit, claim, settle …) share. */
export interface ServiceContext {
  readonly node: string;
  /**
   * A random id of this run of the process. The node's name is not enough, because another process may use the same name.
   */
  readonly processId: string;
  readonly store: TaskStore;
  readonly broker: Broker;
  readonly registry: Registry;
  /**
   * The overload guard: admits or refuses a submission before any work is done for it. If absent, every submission is
   * admitted.
   */
  readonly overload?: Overload | undefined;
  /** Publishes a notice to the dead-letter queue for each task that dies. If absent, no notices are published. */
  readonly deadLetters?: DeadLetters | undefined;
  /** Returns since when the store has been full. If absent, the store is never full. */
  readonly fullStore?: Engine['fullStore'] | undefined;
  /** Counts what the use cases do. If absent, nothing is counted. */
  readonly metrics?: NodeMetrics | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracing: Tracing;
  readonly changeFeed: ChangeFeed;
  readonly watchedTasks: WatchedTasks;
  readonly heldLeases: HeldLeases;
  readonly leaseGrace: LeaseGrace;
  readonly queues: QueueSettings;
  readonly missingQueues: MissingQueueLog;
  readonly sessions: Sessions;
  readonly pollers: Pollers;
  readonly rebalance: Rebalance;
  readonly cutReleases: CutReleases;
  readonly redriveNotes: RedriveNotes;
  /**
   * Returns false while this node may give out no leases, because its clock differs too much from the store's. It still
   * settles and renews.
   */
  mayLease(): boolean;
  /**
   * Tracks background work, which continues after the caller has its response, for example the dispatch of
   * the next task of a lane. A drain of the node waits for such work. A failure of the work is logged under
   * the name `what`.
   */
  background(what: string, work: Promise<unknown>): void;
  /**
   * Logs the error if a worker's session fails. A drain of the node does not wait for a session, because a session lasts as
   * long as its stream.
   */
  runSession(session: Promise<unknown>): void;
}
