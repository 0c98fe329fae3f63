import type { HandledType } from '../handled-type.ts';
import type { Submission } from '../submission/submission.ts';
import type { TaskEvent } from '../task/event.ts';
import type { Head } from '../task/head.ts';

/** A task as `explain` needs it. */
export interface ExplainedTask {
  readonly id: string;
  readonly submission: Submission;
  readonly head: Head;
  /** The newest events of the task, oldest first. */
  readonly tip: readonly TaskEvent[];
}

/** Workers that take tasks of the task's queue. */
export interface WorkerFact {
  /** The name and id of the worker, or a description of several workers. */
  readonly worker: string;
  /** The number of workers that this fact is about. */
  readonly count: number;
  readonly types: readonly HandledType[];
  /** True if the worker can take another task of this type now; undefined if this node does not know it. */
  readonly hasRoom: boolean | undefined;
  /** How old `hasRoom` is, in ms, if another node has announced it; undefined if it is of now. */
  readonly roomAgeMs?: number | undefined;
}

/** A dependency of this node that refuses or fails calls. */
export interface ThrottleFact {
  readonly dependency: string;
  readonly sinceMs: number | undefined;
  /** When the dependency is tried again. */
  readonly retryAtMs: number | undefined;
}

/** A store that refuses submissions and claims, because its disk is full. */
export interface FullStoreFact {
  /** Since when this process has found the disk full, in ms since the epoch. */
  readonly sinceMs: number;
  /** How much of the disk must be free before tasks begin again. 0 if it is not known. */
  readonly neededBytes: number;
}

/** The pause of a queue. */
export interface PauseFact {
  readonly sinceMs: number;
  /** The identity that paused the queue. */
  readonly actor: string;
  readonly reason?: string | undefined;
  /** When the pause ends by itself; undefined if an operator must end it. */
  readonly untilMs?: number | undefined;
}

/** The state of the dispatch message that makes workers look at a ready task, if the node knows it. */
export interface MessageFact {
  /** True if no message is left that would make a worker look at the task. */
  readonly isLost: boolean;
  /** When a server sends the message again. */
  readonly resentAtMs: number | undefined;
}

/** All that `explain` knows about a task beside the task itself. Each fact is read once, with a bound. */
export interface ExplainFacts {
  /** The time of the reading node, in ms since the epoch. */
  readonly nowMs: number;
  readonly isQueuePaused: boolean;
  /** Who paused the queue, and when; undefined if it is not paused or this is not known. */
  readonly pause?: PauseFact | undefined;
  readonly workers: readonly WorkerFact[];
  /** False if there may be workers that are not in `workers`. Then it is not known that no worker handles a type. */
  readonly areWorkersComplete: boolean;
  /** The first task of the task's lane that has not ended or holds the lane; undefined without an ordering key. */
  readonly laneFront: ExplainedTask | undefined;
  readonly throttle: ThrottleFact | undefined;
  /** Undefined if the store has room. */
  readonly fullStore?: FullStoreFact | undefined;
  readonly message: MessageFact | undefined;
  /** The last heartbeat of the current lease that this node took; undefined if another node took it. */
  readonly lastHeartbeatAtMs: number | undefined;
  /** Whether the handler of the current attempt was called, as far as this node knows beyond the head. */
  readonly begun: boolean;
  /** The time before which no lease may expire, because a server was down or stood still; undefined: leases may expire. */
  readonly noExpiryBeforeMs: number | undefined;
}
