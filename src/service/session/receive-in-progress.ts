import { handlesType } from '../../core/handled-type.ts';
import { isSameQueue, type QueueRef } from '../../core/queue-ref.ts';
import type { Submission } from '../../core/submission/submission.ts';
import type { ReceiveRequest } from '../../ports/broker.ts';
import type { ServiceContext } from '../context.ts';
import type { WorkerHello } from '../service.ts';
import type { SessionCredits } from './session-credits.ts';
import type { FreeRoom } from './sessions.ts';

/**
 * How long a receive call must have waited, in ms, until the worker counts as free, if the broker cannot say that no
 * message is visible.
 */
const idleAfterMs = 100;

interface ReceiveParts {
  readonly context: ServiceContext;
  readonly hello: WorkerHello;
  readonly credits: SessionCredits;
  /** The queues from which the call receives. */
  readonly queues: readonly QueueRef[];
  readonly want: ReceiveRequest;
}

/** The receive call of a worker's stream that waits at the broker. It says what the worker could take at once. */
export class ReceiveInProgress {
  readonly #parts: ReceiveParts;
  readonly #sinceMs: number;

  constructor(parts: ReceiveParts) {
    this.#parts = parts;
    this.#sinceMs = parts.context.clock.monotonic();
  }

  /** True if the worker could begin a task of this submission at once, and no message waits before it. */
  waitsFor(queue: QueueRef, { type, typeVersion, spec }: Submission): boolean {
    const { hello, want, credits, context } = this.#parts;
    const { tasks, bytes } = want.room();
    if (tasks <= 0 || spec.length > bytes || !credits.admits(type) || !this.#receivesFrom(queue))
      return false;
    return handlesType(hello.types, type, typeVersion) && context.broker.isIdle?.(want) === true;
  }

  /** Returns what the worker could take of the tasks that wait in busy workers; undefined if it is not free. */
  freeRoom(): FreeRoom | undefined {
    const { hello, want, credits, context } = this.#parts;
    const { broker, clock } = context;
    const isIdle = broker.isIdle?.(want) ?? clock.monotonic() >= this.#sinceMs + idleAfterMs;
    const { tasks, bytes } = want.room();
    if (!isIdle || tasks <= 0) return undefined;
    const of = ({ type, typeVersion, scope }: Submission): number => {
      if (!this.#receivesFrom(scope)) return 0;
      return handlesType(hello.types, type, typeVersion) ? credits.tasksOf(type) : 0;
    };
    return { tasks, bytes, of };
  }

  #receivesFrom(queue: QueueRef): boolean {
    return this.#parts.queues.some((ref) => isSameQueue(ref, queue));
  }
}
