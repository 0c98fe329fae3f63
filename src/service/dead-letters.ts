import { taskFields } from '../ports/task-fields.ts';
import type { Snapshot } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import { messageOf } from './hand-over.ts';

/**
 * Publishes a notice of a task's death to the dead-letter queue, after the commit. Nothing waits for the notice and nothing
 * repeats it: it only feeds alarms, and the store's list of dead tasks is authoritative.
 */
export function publishDeathNotice(context: ServiceContext, snapshot: Snapshot): void {
  if (context.deadLetters === undefined) return;
  context.background('dead-letter notice', publishNotice(context, snapshot));
}

async function publishNotice({ deadLetters, log }: ServiceContext, snapshot: Snapshot): Promise<void> {
  const { head } = snapshot;
  let result: unknown;
  try {
    [result = true] = (await deadLetters?.publish([messageOf(snapshot, head.version, 'dead')])) ?? [];
  } catch (thrown) {
    result = thrown;
  }
  if (result === true) return;
  const fields = { err: result, ...taskFields(snapshot) };
  log.warn(fields, 'could not publish a dead-letter notice; the task is still listed as dead');
}
