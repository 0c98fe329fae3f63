import type { Broker } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeadLetters } from '../ports/dead-letters.ts';
import type { Log } from '../ports/log.ts';
import type { Overload } from '../ports/overload.ts';
import type { Registry } from '../ports/registry.ts';
import type { TaskStore } from '../ports/task-store.ts';
import type { QueueSettings } from './admin/queue-settings.ts';
import type { Redriven } from './redrive/redrive-notes.ts';
import type { Sessions } from './session/sessions.ts';
import type { HeldLeases } from './settle/held-leases.ts';
import type { Feed } from './watch/change-feed.ts';
import type { WatchedTasks } from './watch/watched-tasks.ts';

/** What the use cases share on one node. */
export interface ServiceContext {
  readonly node: string;
  /** Of one life of this process, unlike its name, which may be any other's too. */
  readonly processId: string;
  readonly store: TaskStore;
  readonly broker: Broker;
  readonly registry: Registry;
  /** Asked before any work of a submission. Absent: all are admitted. */
  readonly overload?: Overload | undefined;
  /** Told of every death. Absent: nobody is. */
  readonly deadLetters?: DeadLetters | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly feed: Feed;
  readonly watched: WatchedTasks;
  readonly held: HeldLeases;
  readonly queues: QueueSettings;
  readonly sessions: Sessions;
  readonly redriven: Redriven;
  /** Work that was begun after an answer (hand-overs, releases); a drain waits for it. */
  background(what: string, work: Promise<unknown>): void;
}
