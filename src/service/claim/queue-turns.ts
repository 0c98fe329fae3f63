import { limits } from '../../core/limits.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Delivery } from '../../ports/broker.ts';

/** The maximum number of workers without a stream whose turns are remembered. */
const mostWorkers = 1_000;

/**
 * The turns of the queues of one worker: the queue that was served longest ago comes first. Without turns a worker would
 * wait out the backlog of one queue before it takes a task of the next one.
 */
export class QueueTurns {
  /** The number of the last delivery of each queue, by the queue's name. */
  readonly #lastServed = new Map<string, number>();
  #served = 0;

  /** Returns the queues in the order in which their turn comes. */
  inTurn(queues: readonly QueueRef[]): readonly QueueRef[] {
    if (queues.length < 2) return queues;
    const servedAt = ({ queue }: QueueRef): number => this.#lastServed.get(queue) ?? 0;
    return queues.toSorted((one, other) => servedAt(one) - servedAt(other));
  }

  /** Records the deliveries of a receive call over `queueCount` queues. */
  serve(deliveries: readonly Delivery[], queueCount: number): void {
    if (queueCount < 2) return;
    for (const { message } of deliveries) {
      const { queue } = message.queue;
      this.#lastServed.delete(queue);
      this.#lastServed.set(queue, ++this.#served);
    }
    // A worker may name other queues in each call: the queue that was served longest ago is forgotten first.
    for (const queue of this.#lastServed.keys()) {
      if (this.#lastServed.size <= limits.workerQueues) break;
      this.#lastServed.delete(queue);
    }
  }
}

/** The turns of workers that claim by single calls, by the worker's tenant and id. */
export class TurnsByWorker {
  readonly #turns = new Map<string, QueueTurns>();

  of(tenant: string, workerId: string): QueueTurns {
    const key = `${tenant}/${workerId}`;
    const turns = this.#turns.get(key) ?? new QueueTurns();
    // The map is kept in the order of use, so that the worker that called longest ago is forgotten first.
    this.#turns.delete(key);
    this.#turns.set(key, turns);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > mostWorkers && oldest !== undefined) this.#turns.delete(oldest);
    return turns;
  }
}
