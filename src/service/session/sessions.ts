import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import type { WorkerView } from '../service.ts';

/** What the other use cases need of a worker's stream on this node. */
export interface LiveSession {
  readonly id: string;
  /** The worker's name and id, as events record them. */
  readonly worker: string;
  view(inFlight: number): WorkerView;
  /** It waits for work with nothing ready, has room for this task and handles it. */
  waitsFor(queue: QueueRef, submission: Submission): boolean;
  /** Takes a credit for a task that is being claimed for it. */
  promise(bytes: number): void;
  /** Of what was promised, these were claimed: hands them over, and gives the other credits back. */
  keep(promised: { readonly tasks: number; readonly bytes: number }, tasks: readonly Assignment[]): void;
  /** A settled task gives its credit back, so that the next claim can join the same commit. */
  credit(tasks: number, bytes: number): void;
  cancelAttempt(id: string, fencingToken: number, cause: CancelCause): void;
  drain(): void;
}

export interface Sessions {
  add(session: LiveSession): void;
  remove(id: string): void;
  get(id: string): LiveSession | undefined;
  all(): Iterable<LiveSession>;
  /** Kept by the sessions themselves: those whose receive may be waiting. */
  readonly waiting: Set<LiveSession>;
  /** One that waits for such a task; the next one at the next call, so that work is spread. */
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
