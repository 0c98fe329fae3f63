import type { TaskId } from '../../../src/ports/task-store.ts';
import type { QueueSettings } from '../../../src/service/admin/queue-settings.ts';
import type { ObservedWorld } from './observed-world.ts';
import { reportViolation } from './violation.ts';

/**
 * The time in ms after the answer to PauseQueue at which no task of the queue may begin any more: every server has read
 * the settings of the queues again, and its recall has reached the workers.
 */
const knownEverywhereMs = 6_500;
/** The time in ms in which a claim that is in progress ends, and a recall of a server reaches a worker. */
const recalledWithinMs = 1_000;

/** The queues that an operator has paused, and since when the operator and the servers know it. */
export class PausedQueues {
  readonly #world: ObservedWorld;
  readonly #sinceMs = new Map<string, number>();
  /** Since when a server knows that a queue is paused, by the name of the server and the queue. */
  readonly #knownSinceMs = new Map<string, number>();

  constructor(world: ObservedWorld) {
    this.#world = world;
  }

  paused(queue: string): void {
    this.#sinceMs.set(queue, this.#world.elapsedMs);
  }

  resumed(queue: string): void {
    this.#sinceMs.delete(queue);
  }

  has(queue: string): boolean {
    return this.#sinceMs.has(queue);
  }

  /** Follows the settings of the queues that a server knows. */
  follow(node: string, settings: QueueSettings): void {
    settings.onChange(() => {
      for (const { queue, paused } of settings.all()) {
        const key = keyOf(node, queue);
        if (!paused) this.#knownSinceMs.delete(key);
        else if (!this.#knownSinceMs.has(key)) this.#knownSinceMs.set(key, this.#world.elapsedMs);
      }
    });
  }

  /** Checks a task whose handler is called. Where servers stand still or calls are lost, no time is promised. */
  checkBegin(id: TaskId, fencingToken: number): void {
    const { features, shadow, assigned, elapsedMs } = this.#world;
    if (!features.isOrderly || features.hasServerGaps) return;
    const queue = shadow.tasks.get(id)?.submission.scope.queue ?? '';
    const sinceMs = this.#sinceMs.get(queue) ?? elapsedMs;
    const received = assigned.get(id, fencingToken);
    const knownSinceMs = this.#knownSinceMs.get(keyOf(received?.node ?? '', queue)) ?? elapsedMs;
    if (elapsedMs <= sinceMs + knownEverywhereMs && elapsedMs <= knownSinceMs + recalledWithinMs) return;
    const where = `${id} of ${queue}, paused for ${elapsedMs - sinceMs} ms`;
    reportViolation(
      this.#world.rules,
      'pausedQueueBeginsNothing',
      `${where}, known to ${received?.node} for ${elapsedMs - knownSinceMs} ms`,
    );
  }
}

function keyOf(node: string, queue: string): string {
  return `${node} ${queue}`;
}
