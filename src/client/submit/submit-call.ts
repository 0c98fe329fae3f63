import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { TaskType } from '../contract/task.ts';
import type { SubmittedTask } from '../tasks/task-handle.ts';
import type { SubmitOptions } from './submit-options.ts';

type Schema = StandardSchemaV1;

/** The type of `client.submit` and `context.submit`: submits one task and resolves once it is stored durably. */
export type Submit = <N extends string, I extends Schema, O extends Schema>(
  task: TaskType<N, I, O>,
  input: StandardSchemaV1.InferInput<I>,
  options?: SubmitOptions,
) => Promise<SubmittedTask<StandardSchemaV1.InferOutput<O>>>;
