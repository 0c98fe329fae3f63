import { lostRace } from '../../core/task/conflict.ts';
import { taskFields } from '../../ports/task-fields.ts';
import type { Change, Snapshot } from '../../ports/task-store.ts';
import type { SqliteContext } from './context.ts';

/**
 * Logs a claim that failed because another worker claimed the task first, with the name of that worker, in the same
 * words as the other engines.
 */
export function logLostClaim({ log }: SqliteContext, change: Change, current: Snapshot): void {
  if (change.kind !== 'transition' || !change.events.some(({ kind }) => kind === 'claimed')) return;
  const { head } = current;
  const err = lostRace(change.id, head);
  log.info(
    { ...taskFields(current), winner: head.worker, err },
    'a claim was refused: another change of the task was written first',
  );
}
