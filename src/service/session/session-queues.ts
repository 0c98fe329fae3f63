import { HoldfastError } from '../../core/errors.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Delivery } from '../../ports/broker.ts';
import { QueueTurns } from '../claim/queue-turns.ts';
import type { ServiceContext } from '../context.ts';
import type { WorkerHello } from '../service.ts';

/** The queues of one worker's session: which of them may be served now, and whose turn it is. */
export class SessionQueues {
  readonly #context: ServiceContext;
  readonly #refs: readonly QueueRef[];
  readonly #turns = new QueueTurns();
  readonly #worker: string;

  constructor(
    context: ServiceContext,
    { tenant, queues, workerName }: Pick<WorkerHello, 'tenant' | 'queues' | 'workerName'>,
  ) {
    this.#context = context;
    this.#worker = workerName;
    this.#refs = queues.map((queue) => ({ tenant, queue }));
  }

  /** Returns the queues that are not paused, in the order in which their turn comes. */
  async unpausedInTurn(): Promise<readonly QueueRef[]> {
    const { queues, missingQueues } = this.#context;
    const unpaused: QueueRef[] = [];
    for (const ref of this.#refs) {
      if (!queues.has(ref)) {
        await queues.look(ref);
        missingQueues.add(ref, this.#worker);
      }
      if (!queues.of(ref).paused) unpaused.push(ref);
    }
    return this.#turns.inTurn(unpaused);
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
