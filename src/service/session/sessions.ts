import type { Assignment, CancelCause, TypeCredit } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { ReservedTasks } from '../reserved/reserved-tasks.ts';
import type { WorkerView } from '../service.ts';
import type { HeldLease } from '../settle/held-leases.ts';
import { type Interest, WaitingSessions } from './waiting-sessions.ts';

/** A task for which a session reserved a credit, with its assignment if it was claimed. */
export interface ReservedTask {
  readonly submission: Submission;
  readonly assignment: Assignment | undefined;
}

/** How many tasks a free worker's session can take now. */
export interface FreeRoom {
  readonly tasks: number;
  readonly bytes: number;
  /** Returns how many tasks like this submission the session can take; 0 if it does not handle them. */
  of(submission: Submission): number;
}

/** Names a worker. Two tenants may have workers of the same name and id. */
export interface WorkerReference {
  readonly tenant: string;
  /** The worker's name and id, as events record them. */
  readonly worker: string;
}

/** Returns a key that no other worker has. The name of a tenant contains no slash. */
export function keyOfWorker({ tenant, worker }: WorkerReference): string {
  return `${tenant}/${worker}`;
}

/**
 * A worker's stream on this node, as the use cases for submissions, settlements, cancellations and lists of workers use it.
 */
export interface LiveSession extends WorkerReference {
  readonly id: string;
  readonly interest: Interest;
  /** True if the worker calls its handler for each task at once; false if it may keep tasks in a buffer first. */
  readonly begins: boolean;
  /** True if the worker keeps a task that must run alone until nothing else runs in it, and reports its beginning. */
  readonly runsAlone: boolean;
  /** True if the worker has not acknowledged all assignments that were sent to it. */
  readonly hasUnacknowledged: boolean;
  view(inFlight: number): WorkerView;
  /** Returns true if the worker could be given another task of this type now, if one were ready. */
  hasRoomFor(type: string): boolean;
  /**
   * Returns true if the worker's session waits for work while no task is ready, has room for the submitted task and handles
   * its type.
   */
  waitsFor(queue: QueueRef, submission: Submission): boolean;
  /**
   * Returns the room of the session if its worker is free: it waits for work while no task is ready for it, and it keeps no
   * task that it has not begun. Otherwise returns undefined.
   */
  freeRoom(): FreeRoom | undefined;
  /**
   * Asks the worker to give back these reserved tasks, because another worker is free. The session takes no task for half
   * a second, so that the free worker gets them.
   */
  giveUp(leases: readonly HeldLease[]): void;
  /** True if at least one task type of the worker has a limit of its own. */
  readonly limitsTypes: boolean;
  /** Takes a credit for a task that is being claimed for this session. */
  reserve(submission: Submission): void;
  /** Gives the worker those reserved tasks that were claimed, and returns the credits of the other reserved tasks. */
  deliverReserved(reserved: readonly ReservedTask[]): void;
  /**
   * Gives the credits of settled tasks back to the session, so that the next claim can join the commit of the settlements.
   * The report did not come on the stream, so it does not show that the stream still reaches the worker.
   */
  creditSettled(tasks: number, bytes: number, types: readonly TypeCredit[]): void;
  /** The number of hello messages on the stream. Each sets the credits of the session anew. */
  readonly hellos: number;
  cancelAttempt(id: string, fencingToken: number, cause: CancelCause): void;
  drain(): void;
  /**
   * Records that the stream may not reach the worker any more, because a lease has expired on it or the worker has opened
   * another stream: it gets no task until a message comes on it.
   */
  leaseLost(): void;
  /** The tasks that this session gave to the worker and whose handlers the worker has not called yet. */
  readonly reserved: ReservedTasks;
}

export interface Sessions {
  add(session: LiveSession): void;
  remove(id: string): void;
  get(id: string): LiveSession | undefined;
  all(): Iterable<LiveSession>;
  /** The worker sessions with a receive call to the broker in progress. Each session adds and removes itself. */
  readonly waiting: WaitingSessions<LiveSession>;
  /** Returns the newest session of a worker on this node. */
  ofWorker(worker: WorkerReference): LiveSession | undefined;
  /**
   * Returns the session of a held lease: the one that claimed the task or, if that has ended, the newest one of the
   * worker, which kept the task. Undefined if neither is on this node, or if the lease was given by a single call.
   */
  ofLease(lease: Pick<HeldLease, 'sessionId' | 'snapshot'>): LiveSession | undefined;
}

export function createSessions(): Sessions {
  const live = new Map<string, LiveSession>();
  /** The sessions of each worker, the newest last. */
  const byWorker = new Map<string, readonly LiveSession[]>();
  const waiting = new WaitingSessions<LiveSession>();
  const newestOf = (worker: WorkerReference): LiveSession | undefined =>
    byWorker.get(keyOfWorker(worker))?.at(-1);
  return {
    waiting,
    add(session) {
      waiting.open(session);
      live.set(session.id, session);
      const key = keyOfWorker(session);
      byWorker.set(key, [...(byWorker.get(key) ?? []), session]);
    },
    remove(id) {
      const session = live.get(id);
      if (session === undefined) return;
      waiting.close(session);
      live.delete(id);
      const key = keyOfWorker(session);
      const others = (byWorker.get(key) ?? []).filter((other) => other !== session);
      if (others.length > 0) byWorker.set(key, others);
      else byWorker.delete(key);
    },
    get: (id) => live.get(id),
    all: () => live.values(),
    ofWorker: newestOf,
    ofLease({ sessionId, snapshot }) {
      if (sessionId === undefined) return undefined;
      const { tenant } = snapshot.submission.scope;
      return live.get(sessionId) ?? newestOf({ tenant, worker: snapshot.head.worker });
    },
  };
}
