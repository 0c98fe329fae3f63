import type { Client } from '../client/client.ts';
import type { TaskStatus } from '../client/tasks/status.ts';
import { asHoldfastError } from '../core/errors.ts';

/** Returns the status of a task, or undefined if the task has expired. */
export async function statusIfKept(client: Client, id: string): Promise<TaskStatus | undefined> {
  try {
    return await client.get(id);
  } catch (thrown) {
    if (asHoldfastError(thrown).reason === 'TASK_NOT_FOUND') return undefined;
    throw thrown;
  }
}
