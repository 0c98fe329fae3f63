import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Task } from '../contract/task.ts';
import type { SubmittedTask } from '../tasks/task-handle.ts';
import type { SubmitOptions } from './submit-options.ts';

type Schema = StandardSchemaV1;

/**
 * Submits one task; once it resolves, the task survives any crash. Calls made together go out as one batch.
 *
 * @throws HoldfastError INVALID_ARGUMENT (nothing was sent); ALREADY_EXISTS, reason KEY_REUSED, with the existing
 * `taskId`, where the key was taken with another input; UNAVAILABLE or RESOURCE_EXHAUSTED after the time for retries.
 */
export type Submit = <N extends string, I extends Schema, O extends Schema>(
  task: Task<N, I, O>,
  input: StandardSchemaV1.InferInput<I>,
  options?: SubmitOptions,
) => Promise<SubmittedTask<StandardSchemaV1.InferOutput<O>>>;
