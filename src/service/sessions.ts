import type { CancelCause } from '../core/messages.ts';
import type { WorkerView } from './service.ts';

/** What the other use cases need of a worker's stream on this node. */
export interface LiveSession {
  readonly id: string;
  view(): WorkerView;
  /** A settled task gives its credit back, so that the next claim can join the same commit. */
  credit(tasks: number, bytes: number): void;
  cancelAttempt(id: string, token: number, cause: CancelCause): void;
  drain(): void;
}

export interface Sessions {
  add(session: LiveSession): void;
  remove(id: string): void;
  get(id: string): LiveSession | undefined;
  all(): Iterable<LiveSession>;
  cancelAttempt(sessionId: string, id: string, token: number, cause: CancelCause): void;
}

export function createSessions(): Sessions {
  const live = new Map<string, LiveSession>();
  return {
    add(session) {
      live.set(session.id, session);
    },
    remove(id) {
      live.delete(id);
    },
    get: (id) => live.get(id),
    all: () => live.values(),
    cancelAttempt(sessionId, id, token, cause) {
      live.get(sessionId)?.cancelAttempt(id, token, cause);
    },
  };
}
