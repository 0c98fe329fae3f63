import { type HandledType, handlesType } from '../../core/handled-type.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';

/** The queues and task types of a worker's session. */
export interface Interest {
  readonly tenant: string;
  readonly queues: readonly string[];
  readonly types: readonly HandledType[];
}

interface WaitingSession {
  readonly interest: Interest;
  waitsFor(queue: QueueRef, submission: Submission): boolean;
}

/** The sessions with the same interest. */
interface Group<S> {
  readonly interest: Interest;
  /** The number of sessions that are open, waiting or not. */
  open: number;
  readonly waiting: Set<S>;
}

function keyOfQueue({ tenant, queue }: QueueRef): string {
  return `${tenant}/${queue}`;
}

function keyOfInterest({ tenant, queues, types }: Interest): string {
  return JSON.stringify([tenant, queues, types.map(({ type, maxVersion }) => [type, maxVersion])]);
}

/**
 * The worker sessions with a receive call to the broker in progress, in groups of the same queues and types: a submission looks
 * once at each group of its queue, not at each of the thousands of streams that may wait for other tasks.
 */
export class WaitingSessions<S extends WaitingSession> {
  readonly #groups = new Map<string, Group<S>>();
  readonly #groupOf = new Map<S, Group<S>>();
  readonly #byQueue = new Map<string, Set<Group<S>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  *[Symbol.iterator](): Iterator<S> {
    for (const { waiting } of [...this.#groups.values()]) yield* [...waiting];
  }

  /** Adds an open session to its group. It does not wait yet. */
  open(session: S): void {
    const { interest } = session;
    const key = keyOfInterest(interest);
    const group = this.#groups.get(key) ?? { interest, open: 0, waiting: new Set() };
    group.open++;
    this.#groups.set(key, group);
    this.#groupOf.set(session, group);
    for (const name of interest.queues) {
      const queue = keyOfQueue({ tenant: interest.tenant, queue: name });
      this.#byQueue.set(queue, (this.#byQueue.get(queue) ?? new Set()).add(group));
    }
  }

  close(session: S): void {
    this.delete(session);
    const group = this.#groupOf.get(session);
    this.#groupOf.delete(session);
    if (group === undefined || --group.open > 0) return;
    const { interest } = group;
    this.#groups.delete(keyOfInterest(interest));
    for (const name of interest.queues) {
      const queue = keyOfQueue({ tenant: interest.tenant, queue: name });
      const groups = this.#byQueue.get(queue);
      groups?.delete(group);
      if (groups?.size === 0) this.#byQueue.delete(queue);
    }
  }

  /** Records that an open session waits. */
  add(session: S): void {
    const waiting = this.#groupOf.get(session)?.waiting;
    if (waiting === undefined || waiting.has(session)) return;
    waiting.add(session);
    this.#size++;
  }

  /** Records that a session does not wait any more. */
  delete(session: S): void {
    if (this.#groupOf.get(session)?.waiting.delete(session) === true) this.#size--;
  }

  /**
   * Returns a session that waits for a task like this submission, if there is one. Repeated calls return the sessions, and
   * their groups, in turn.
   */
  next(queue: QueueRef, submission: Submission): S | undefined {
    const groups = this.#byQueue.get(keyOfQueue(queue));
    if (groups === undefined) return undefined;
    const { type, typeVersion } = submission;
    for (const group of groups) {
      const { waiting, interest } = group;
      if (waiting.size === 0 || !handlesType(interest.types, type, typeVersion)) continue;
      for (const session of waiting) {
        if (!session.waitsFor(queue, submission)) continue;
        waiting.delete(session);
        waiting.add(session);
        if (groups.size > 1) {
          groups.delete(group);
          groups.add(group);
        }
        return session;
      }
    }
    return undefined;
  }
}
