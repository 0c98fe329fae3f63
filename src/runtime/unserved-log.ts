import type { VerdictCode } from '../core/explain/verdict.ts';
import { forTenant } from '../core/explain/words.ts';
import { defaults } from '../core/limits.ts';
import { type QueueRef, queueKey } from '../core/queue-ref.ts';
import { traceIdsOf } from '../core/submission/traceparent.ts';
import type { Snapshot } from '../ports/task-store.ts';
import type { ServiceContext } from '../service/context.ts';
import { explain } from '../service/explain/explain.ts';

/** How long a task is ready, in ms, before a log line may name it. */
const readyForMs = 60_000;
/** The most queues of one round. The next round goes on with the others. */
const queuesOfRound = 50;
/** The most pages of ready tasks that are read of a queue in one round. */
const pagesOfQueue = 5;
/** The most tasks of a queue that are explained in one round: the oldest ones that were read. */
const explainedOfQueue = 20;
/** The most tasks that one line names. */
const named = 5;

/** The causes for which nothing serves a task. The others are a backlog that workers are on, or end by themselves. */
const causes: ReadonlySet<VerdictCode> = new Set([
  'QUEUE_PAUSED',
  'NO_WORKER',
  'NO_WORKER_FOR_TYPE',
  'NO_WORKER_FOR_VERSION',
  'LANE_HELD_BY_DEAD',
  'MESSAGE_LOST',
  'STORE_THROTTLED',
]);

interface Unserved {
  readonly sentence: string;
  readonly next: string;
  readonly tasks: Snapshot[];
}

/**
 * Logs, a line for each queue and cause, the ready tasks that nothing serves: such a task has no events, and so no other
 * line would name it. A round reads a bounded number of tasks, of which it explains the oldest.
 */
export class UnservedLog {
  readonly #context: ServiceContext;
  readonly #startedAtMs: number;
  /** The queue with which the last round ended, if it has not looked at all of them. */
  #after = '';

  constructor(context: ServiceContext) {
    this.#context = context;
    this.#startedAtMs = context.clock.monotonic();
  }

  /** Looks at some queues for which `isMine` returns true. */
  async round(signal: AbortSignal, isMine: (queue: QueueRef) => boolean): Promise<false> {
    const { clock, log, queues } = this.#context;
    // After a start the workers need some time to connect.
    if (clock.monotonic() - this.#startedAtMs < readyForMs) return false;
    const mine = queues.all().filter(isMine);
    const left = mine.filter((queue) => queueKey(queue) > this.#after);
    const some = (left.length > 0 ? left : mine).slice(0, queuesOfRound);
    this.#after = some.length < queuesOfRound ? '' : queueKey(some.at(-1) as QueueRef);
    for (const { tenant, queue } of some) {
      if (signal.aborted) return false;
      try {
        await this.#look({ tenant, queue });
      } catch (err) {
        log.warn({ err, tenant, queue }, 'could not look for tasks that nothing serves; it will be repeated');
      }
    }
    return false;
  }

  async #look(queue: QueueRef): Promise<void> {
    const { store, clock, log } = this.#context;
    const filter = { ...queue, state: 'ready', acceptedUntilMs: clock.now() - readyForMs } as const;
    const waiting: Snapshot[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < pagesOfQueue && (page === 0 || cursor !== undefined); page++) {
      const read = await store.list(filter, { limit: store.limits.pageItems, cursor, nowMs: clock.now() });
      waiting.push(...read.items);
      cursor = read.cursor;
    }
    // The list has the newest task first.
    const oldest = waiting.slice(-explainedOfQueue).reverse();
    for (const [cause, { sentence, next, tasks }] of await this.#byCause(queue, oldest)) {
      const fields = {
        ...queue,
        cause,
        oldest: tasks.slice(0, named).map(({ id }) => id),
        traces: tasks
          .slice(0, named)
          .flatMap(({ submission }) => traceIdsOf(submission.traceparent).trace_id ?? []),
        examined: oldest.length,
        waiting: waiting.length,
        waiting_is_lower_bound: cursor !== undefined,
        help: forTenant(next, queue.tenant === defaults.tenant ? '' : queue.tenant),
      };
      log.warn(
        fields,
        `${tasks.length} of the ${oldest.length} oldest ready tasks of '${queue.queue}': ${sentence}`,
      );
    }
  }

  async #byCause(
    { tenant }: QueueRef,
    oldest: readonly Snapshot[],
  ): Promise<ReadonlyMap<VerdictCode, Unserved>> {
    const found = new Map<VerdictCode, Unserved>();
    for (const task of oldest) {
      // A task that has expired since needs no line.
      const explained = await explain(this.#context, tenant, task.id).catch(() => undefined);
      if (explained === undefined) continue;
      const { code, sentence, next } = explained.verdict;
      if (!causes.has(code)) continue;
      const same = found.get(code) ?? { sentence, next, tasks: [] };
      same.tasks.push(task);
      found.set(code, same);
    }
    return found;
  }
}
