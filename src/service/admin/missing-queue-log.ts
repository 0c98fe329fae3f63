import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { QueueSettings } from './queue-settings.ts';

/** How many pairs of a worker and a queue are remembered. Beyond it the oldest is forgotten, and may be logged again. */
const rememberedPairs = 1_000;
/** How long a queue may be missing, in ms, before it is logged, unless another queue has nearly the same name. */
const missingForMs = 60_000;

/**
 * Logs, once for each name of a worker and queue, that a worker waits for tasks of a queue that does not exist: the name may
 * be mistyped. If another queue has nearly the same name, it is logged at once. Otherwise the worker may have started before
 * the first submission, so it is logged if the queue is still missing after a minute and the tenant has other queues. A worker
 * that polls calls every few seconds, and one with a stream comes back after each disconnection.
 */
export class MissingQueueLog {
  readonly #queues: QueueSettings;
  readonly #log: Log;
  readonly #clock: Clock;
  /** The functions that end the waits, by the worker and queue. */
  readonly #waits = new Map<string, () => void>();

  constructor(queues: QueueSettings, log: Log, clock: Clock) {
    this.#queues = queues;
    this.#log = log;
    this.#clock = clock;
  }

  /** Logs the nearest name of an existing queue if this one does not exist. */
  add(ref: QueueRef, worker: string): void {
    if (this.#queues.has(ref)) return;
    const pair = `${queueKey(ref)} ${worker}`;
    if (this.#waits.has(pair)) return;
    const isNear = this.#queues.nearestName(ref) !== undefined;
    if (isNear) this.#write(ref, worker);
    const check = (): void => {
      if (!this.#queues.has(ref) && this.#queues.ofTenant(ref.tenant).length > 0) this.#write(ref, worker);
    };
    this.#waits.set(pair, isNear ? () => {} : this.#clock.after(missingForMs, check));
    for (const [oldest, stop] of this.#waits) {
      if (this.#waits.size <= rememberedPairs) break;
      stop();
      this.#waits.delete(oldest);
    }
  }

  #write(ref: QueueRef, worker: string): void {
    const { help } = this.#queues.unknownQueue(ref);
    this.#log.info(
      { ...ref, worker, help },
      'a worker waits for tasks of a queue that does not exist; its first submission creates it',
    );
  }
}
