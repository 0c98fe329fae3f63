import type { Client } from '../client/client.ts';
import type { TaskStatus } from '../client/tasks/status.ts';
import { asHoldfastError } from '../core/errors.ts';
import { type Grant, isVisible } from './grant.ts';
import { problem } from './problem.ts';

export interface FindParts {
  readonly client: Client;
  readonly grant: Grant;
  /** The names of the task types that may be read. */
  readonly types: ReadonlySet<string>;
}

/** Returns the status of a task, or the refusal: to a caller that may not read a task, it does not exist. */
export async function findTask(
  id: string,
  signal: AbortSignal,
  { client, grant, types }: FindParts,
): Promise<TaskStatus | Response> {
  const status = await client
    .task(id)
    .status({ signal })
    .catch((thrown: unknown) => {
      const { code } = asHoldfastError(thrown);
      // What is no id of a task names no task.
      if (code === 'NOT_FOUND' || code === 'INVALID_ARGUMENT') return undefined;
      throw thrown;
    });
  if (status !== undefined && types.has(status.type) && isVisible(grant, status)) return status;
  return problem(404, 'There is no such task.', { reason: 'TASK_NOT_FOUND' });
}
