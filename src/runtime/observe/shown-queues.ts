import { type QueueRef, queueKey } from '../../core/queue-ref.ts';

/** How many queues of one node are shown, since more of them would cost too many reads. */
const mostQueues = 200;

/**
 * The queues of which a node shows the gauges. A queue that was shown stays so for as long as it is the node's: a caller who
 * creates many queues must not take the places of others, because no alert would fire for these.
 */
export class ShownQueues {
  #keys: ReadonlySet<string> = new Set();

  /** Returns the queues to be shown now, those first that were shown before. */
  of(queues: readonly QueueRef[]): readonly QueueRef[] {
    const kept = queues.filter((queue) => this.#keys.has(queueKey(queue)));
    const others = queues.filter((queue) => !this.#keys.has(queueKey(queue)));
    const shown = [...kept, ...others].slice(0, mostQueues);
    this.#keys = new Set(shown.map(queueKey));
    return shown;
  }
}
