import type { Snapshot } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import { messageOf } from './hand-over.ts';

/**
 * One notice of a death, after its commit. Nothing waits for it and nothing repeats it: it is there for alarms, and the
 * store's list of what is dead is the truth.
 */
export function tellDeath(context: ServiceContext, snapshot: Snapshot): void {
  if (context.deadLetters === undefined) return;
  context.background('dead-letter notice', tell(context, snapshot));
}

async function tell({ deadLetters, log }: ServiceContext, snapshot: Snapshot): Promise<void> {
  const { id, head, submission } = snapshot;
  let told: unknown;
  try {
    [told = true] = (await deadLetters?.tell([messageOf(snapshot, head.version, 'dead')])) ?? [];
  } catch (thrown) {
    told = thrown;
  }
  if (told === true) return;
  const fields = { err: told, task_id: id, queue: submission.scope.queue };
  log.warn(fields, 'no notice of a death came to the dead-letter queue; the list of dead tasks has it');
}
