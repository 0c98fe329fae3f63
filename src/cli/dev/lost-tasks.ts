/** Names the tasks that ran in a worker's process of `holdfast dev` when it ended by itself. */
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Service } from '../../service/service.ts';

/** A worker's process that has ended: the name of its worker, its queues, and when it was started (ms since the epoch). */
export interface EndedWorker {
  readonly name: string;
  readonly queues: readonly string[];
  readonly startedAtMs: number;
}

/** The most tasks that are named. */
const named = 16;

/**
 * Returns `<id> (<type>)` for each task that the worker held when it ended: those that it had begun, or those of which the
 * server does not know that they begin. The server still holds their leases.
 */
async function tasksOf(
  service: Service,
  { name, queues, startedAtMs }: EndedWorker,
  state: 'running' | 'reserved',
): Promise<string[]> {
  const found: string[] = [];
  for (const queue of queues) {
    const filter = { tenant: 'default', queue, state };
    const { items } = await service.list(filter, { limit: limits.pageItems, cursor: undefined });
    for (const { id, head, tip, submission } of items) {
      const claim = tip.findLast((event) => event.kind === 'claimed');
      if (head.worker.startsWith(`${name}/`) && (claim?.atMs ?? 0) >= startedAtMs)
        found.push(`${id} (${submission.type})`);
    }
  }
  return found;
}

function listed(tasks: readonly string[]): string {
  const more = tasks.length > named ? ` and ${tasks.length - named} more` : '';
  const count = tasks.length === 1 ? '1 task' : `${tasks.length} tasks`;
  return `${count}: ${tasks.slice(0, named).join(', ')}${more}`;
}

/**
 * Returns sentences for the developer, such as `It ran 2 tasks: 1-abc (greet), 1-abd (greet).` A handler that ended the
 * process at once may have begun before the server learned of it, so tasks that the worker only held are named too.
 */
export async function lostTasksText(service: Service, worker: EndedWorker): Promise<string> {
  try {
    const ran = await tasksOf(service, worker, 'running');
    const held = await tasksOf(service, worker, 'reserved');
    const sentences = [
      ran.length === 0 ? '' : `It ran ${listed(ran)}.`,
      held.length === 0 ? '' : `It held, and may have begun, ${listed(held)}.`,
    ].filter((text) => text !== '');
    return sentences.length === 0 ? 'It ran no task.' : sentences.join(' ');
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return `Its tasks could not be listed: ${thrown.message}`;
    throw thrown;
  }
}
