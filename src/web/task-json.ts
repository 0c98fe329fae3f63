import type { TaskEvent, TaskStatus } from '../client/tasks/status.ts';

/** Which parts of a task are shown to callers. */
export interface Shown {
  /** True to show the messages of errors. */
  readonly errors: boolean;
}

/**
 * Returns a task as JSON: its fields have the names of the SDK. The input, keys, tags, the tenant, the queue and the names of
 * workers are left out, since they may be of no concern to a caller.
 */
export function taskJson(task: TaskStatus, { errors }: Shown): object {
  const { id, type, state, version, attempt, maxAttempts, progress } = task;
  const { acceptedAt, runAt, endedAt, expiresAt, deadReason, cancelRequested } = task;
  return {
    ...{ id, type, state, version, attempt, maxAttempts, progress, acceptedAt, runAt, endedAt, expiresAt },
    ...{ deadReason, cancelRequested },
    lastError: errors ? task.lastError : undefined,
    result: contentOf(task.result),
  };
}

/** Returns an event as JSON, with the same parts left out. */
export function eventJson(event: TaskEvent, { errors }: Shown): object {
  const { version, kind, at, state, attempt, runAt, deadReason, message, errorType } = event;
  return { version, kind, at, state, attempt, runAt, deadReason, ...(errors && { message, errorType }) };
}

/** A result that is not JSON is shown as base64. */
function contentOf(result: unknown): unknown {
  return result instanceof Uint8Array ? { base64: Buffer.from(result).toString('base64') } : result;
}
