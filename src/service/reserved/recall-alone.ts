/** Decides for which free worker a task is recalled that must run alone and waits for that in a busy worker. */
import type { Clock } from '../../ports/clock.ts';
import type { TaskId } from '../../ports/task-store.ts';
import type { LiveSession, Sessions } from '../session/sessions.ts';
import type { HeldLease, HeldLeases } from '../settle/held-leases.ts';

/**
 * The time after a task's recall in which it is not recalled again, in ms. This node may not know the tasks of a worker
 * that has come from another node, and would otherwise move the task between two busy workers in each round.
 */
const recalledMs = 2_000;

interface WithLeases {
  readonly heldLeases: HeldLeases;
  readonly sessions: Sessions;
}

/** Returns true if the worker of this session has no task, as far as this node knows. */
export function holdsNothing({ heldLeases, sessions }: WithLeases, { id }: Pick<LiveSession, 'id'>): boolean {
  return !heldLeases.counts((lease) => sessions.ofLease(lease)?.id).has(id);
}

/**
 * The recalls of tasks that must run alone. Such a task is recalled only for a worker that has no task: another one,
 * although it has room, would have to wait as the busy one does.
 */
export class AloneRecalls {
  readonly #context: WithLeases & { readonly clock: Clock };
  readonly #recalledAtMs = new Map<TaskId, number>();

  constructor(context: WithLeases & { readonly clock: Clock }) {
    this.#context = context;
  }

  mayRecall({ snapshot }: HeldLease, free: LiveSession): boolean {
    const untilMs = this.#context.clock.monotonic() - recalledMs;
    for (const [id, atMs] of this.#recalledAtMs) {
      if (atMs > untilMs) break;
      this.#recalledAtMs.delete(id);
    }
    return !this.#recalledAtMs.has(snapshot.id) && holdsNothing(this.#context, free);
  }

  recalled({ snapshot }: HeldLease): void {
    this.#recalledAtMs.set(snapshot.id, this.#context.clock.monotonic());
  }
}
