import { HoldfastError } from '../../core/errors.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Delivery } from '../../ports/broker.ts';
import { QueueTurns } from '../claim/queue-turns.ts';
import type { ServiceContext } from '../context.ts';

/** The queues of one worker's session: which of them may be served now, and whose turn it is. */
export class SessionQueues {
  readonly #context: ServiceContext;
  readonly #refs: readonly QueueRef[];
  readonly #turns = new QueueTurns();
  readonly #missing = new Set<QueueRef>();

  constructor(context: ServiceContext, tenant: string, queues: readonly string[]) {
    this.#context = context;
    this.#refs = queues.map((queue) => ({ tenant, queue }));
  }

  /** Returns the queues that are not paused, in the order in which their turn comes. */
  async unpausedInTurn(): Promise<readonly QueueRef[]> {
    const { queues } = this.#context;
    const unpaused: QueueRef[] = [];
    for (const ref of this.#refs) {
      if (!queues.has(ref)) {
        await queues.look(ref);
        this.#logMissing(ref);
      }
      if (!queues.of(ref).paused) unpaused.push(ref);
    }
    return this.#turns.inTurn(unpaused);
  }

  /** Logs, once for each queue, that the worker waits for tasks of a queue that does not exist: its name may be mistyped. */
  #logMissing(ref: QueueRef): void {
    const { queues, log } = this.#context;
    if (queues.has(ref) || this.#missing.has(ref)) return;
    this.#missing.add(ref);
    const { help } = queues.unknownQueue(ref);
    log.info(
      { ...ref, help },
      'a worker waits for tasks of a queue that does not exist; its first submission creates it',
    );
  }

  /** Records deliveries, so that the queues which they came from are served last. */
  serve(deliveries: readonly Delivery[]): void {
    this.#turns.serve(deliveries, this.#refs.length);
  }

  /**
   * Returns true if the error says that the worker named an unknown queue. Returns false if all queues of the worker are in
   * the registry, because the SQS queue of a new registry entry may not be visible everywhere yet.
   */
  isMisnamed(err: unknown): err is HoldfastError {
    const isMisnamed = this.#refs.some((ref) => !this.#context.queues.has(ref));
    return isMisnamed && err instanceof HoldfastError && err.reason === 'QUEUE_UNKNOWN';
  }
}
