import { defineTask, typed } from 'holdfast';

/** The task type: both the submitter and the worker import it. */
export const greet = defineTask('greet', {
  input: typed<{ name: string }>(),
  output: typed<{ greeting: string }>(),
  idempotencyKey: ({ name }) => `greet/${name}`,
});
