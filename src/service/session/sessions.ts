import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { WorkerView } from '../service.ts';

/** A worker's stream on this node, as the other use cases use it. */
export interface LiveSession {
  readonly id: string;
  /** The worker's name and id, as events record them. */
  readonly worker: string;
  view(inFlight: number): WorkerView;
  /** Returns true if the session waits for work with nothing ready, has room for this task and handles its type. */
  waitsFor(queue: QueueRef, submission: Submission): boolean;
  /** Takes a credit for a task of `bytes` payload bytes that is being claimed for this session. */
  reserve(bytes: number): void;
  /** Assigns the reserved tasks that were claimed, and returns the credits of the others. */
  deliverReserved(
    reserved: { readonly tasks: number; readonly bytes: number },
    tasks: readonly Assignment[],
  ): void;
  /** Returns the credits of settled tasks, so that the next claim can join the same commit. */
  credit(tasks: number, bytes: number): void;
  cancelAttempt(id: string, fencingToken: number, cause: CancelCause): void;
  drain(): void;
}

export interface Sessions {
  add(session: LiveSession): void;
  remove(id: string): void;
  get(id: string): LiveSession | undefined;
  all(): Iterable<LiveSession>;
  /** The sessions with a receive in progress. Each session adds and removes itself. */
  readonly waiting: Set<LiveSession>;
  /** Returns a session that waits for such a task, if there is one. Calls take the sessions in turn to spread the work. */
  waitingFor(queue: QueueRef, submission: Submission): LiveSession | undefined;
  cancelAttempt(sessionId: string, id: string, fencingToken: number, cause: CancelCause): void;
}

export function createSessions(): Sessions {
  const live = new Map<string, LiveSession>();
  const waiting = new Set<LiveSession>();
  return {
    waiting,
    waitingFor(queue, submission) {
      for (const session of waiting) {
        if (!session.waitsFor(queue, submission)) continue;
        waiting.delete(session);
        waiting.add(session);
        return session;
      }
      return undefined;
    },
    add(session) {
      live.set(session.id, session);
    },
    remove(id) {
      const session = live.get(id);
      if (session !== undefined) waiting.delete(session);
      live.delete(id);
    },
    get: (id) => live.get(id),
    all: () => live.values(),
    cancelAttempt(sessionId, id, fencingToken, cause) {
      live.get(sessionId)?.cancelAttempt(id, fencingToken, cause);
    },
  };
}
