import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { Log } from '../../ports/log.ts';
import type { QueueSettings } from './queue-settings.ts';

/** How many pairs of a worker and a queue are remembered. Beyond it the oldest is forgotten, and may be logged again. */
const rememberedPairs = 1_000;

/**
 * Logs, once for each name of a worker and queue, that a worker waits for tasks of a queue that does not exist: the name may
 * be mistyped. A worker that polls calls every few seconds, and one with a stream comes back after each disconnection.
 */
export class MissingQueueLog {
  readonly #queues: QueueSettings;
  readonly #log: Log;
  readonly #logged = new Set<string>();

  constructor(queues: QueueSettings, log: Log) {
    this.#queues = queues;
    this.#log = log;
  }

  /** Logs the nearest name of an existing queue if this one does not exist. */
  add(ref: QueueRef, worker: string): void {
    if (this.#queues.has(ref)) return;
    const pair = `${queueKey(ref)} ${worker}`;
    if (this.#logged.has(pair)) return;
    this.#logged.add(pair);
    for (const oldest of this.#logged) {
      if (this.#logged.size <= rememberedPairs) break;
      this.#logged.delete(oldest);
    }
    const { help } = this.#queues.unknownQueue(ref);
    this.#log.info(
      { ...ref, worker, help },
      'a worker waits for tasks of a queue that does not exist; its first submission creates it',
    );
  }
}
