import type { TaskEvent } from '../core/task/event.ts';
import { taskFields } from '../ports/task-fields.ts';
import type { Snapshot } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';

/**
 * Logs a loss among the events that were just recorded of a task; `before` is the task before them. The worker that ended
 * cannot log it.
 */
export function logLosses({ log }: ServiceContext, before: Snapshot, events: readonly TaskEvent[]): void {
  const expired = events.find((event) => event.kind === 'leaseExpired');
  if (expired?.countsAsLoss !== true) return;
  const { id, head, submission } = before;
  const { type } = submission;
  const { worker } = head;
  const losses = head.losses + 1;
  log.warn(
    { ...taskFields(before), losses, begun: expired.begun },
    `task ${id} (${type}) has lost its worker '${worker}'; workers lost so far: ${losses}`,
  );
}
