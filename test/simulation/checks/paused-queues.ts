import type { TaskId } from '../../../src/ports/task-store.ts';
import type { World } from '../world.ts';
import { type Rules, reportViolation } from './violation.ts';

/**
 * The time in ms after the answer to PauseQueue at which no task of the queue may begin any more: every server has read
 * the settings of the queues again, and its recall has reached the workers.
 */
const recalledAfterMs = 6_500;

/** The queues that an operator has paused, and since when. */
export class PausedQueues {
  readonly #rules: Rules;
  readonly #sinceMs = new Map<string, number>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  paused(queue: string, atMs: number): void {
    this.#sinceMs.set(queue, atMs);
  }

  resumed(queue: string): void {
    this.#sinceMs.delete(queue);
  }

  has(queue: string): boolean {
    return this.#sinceMs.has(queue);
  }

  /** Checks a task whose handler is called. Where servers stand still or calls are lost, no time is promised. */
  checkBegin({ features, shadow, elapsedMs }: World, id: TaskId): void {
    if (!features.isOrderly || features.hasServerGaps) return;
    const queue = shadow.tasks.get(id)?.submission.scope.queue;
    const sinceMs = this.#sinceMs.get(queue ?? '');
    if (sinceMs !== undefined && elapsedMs > sinceMs + recalledAfterMs)
      reportViolation(
        this.#rules,
        'pausedQueueBeginsNothing',
        `${id} of ${queue}, paused for ${elapsedMs - sinceMs} ms`,
      );
  }
}
